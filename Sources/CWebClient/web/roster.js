// Who is in a room and what they publish, and whether it is being recorded, as the server's events tell it.

/** The participants of one room; `tell(type, detail)` is told what changed, in the words of Room's events. */
export class Roster {
  #tell;
  self = null;
  participants = new Map();
  /** `{payload}` while the room is being recorded: `headers`, or `whole`; null otherwise. */
  recording = null;

  constructor(tell) { this.#tell = tell; }

  /** Begins with what `joined` said. */
  snapshot({ participant, participants, recording }) {
    this.recording = recording ?? null;
    this.self = participant;
    this.participants = new Map(participants.map((one) => [one.id, one]));
  }

  /** Takes a message of the server; false when it is about something else. */
  receive(message) {
    switch (message.type) {
      case 'participantJoined':
        this.participants.set(message.participant.id, message.participant);
        this.#tell('participantJoined', { participant: message.participant });
        return true;
      case 'participantUpdated': {
        const { participant } = message;
        const known = participant.id === this.self?.id ? this.self : this.participants.get(participant.id);
        if (known) this.#tell('participantUpdated', { participant: Object.assign(known, participant) });
        return true;
      }
      case 'participantLeft': {
        const { participant: id, reason } = message;
        if (id === this.self?.id) {
          this.#tell('left', { reason });
          return true;
        }
        const participant = this.participants.get(id);
        if (this.participants.delete(id)) this.#tell('participantLeft', { participant, reason });
        return true;
      }
      case 'trackPublished':
      case 'trackUnpublished':
      case 'trackMuted':
        this.#trackChanged(message);
        return true;
      case 'recording':
        this.recording = message.state === 'on' ? { payload: message.payload } : null;
        this.#tell('recording', { recording: this.recording });
        return true;
      default:
        return false;
    }
  }

  #trackChanged({ type, participant: id, track, muted }) {
    const participant = id === this.self?.id ? this.self : this.participants.get(id);
    if (!participant) return;
    const trackID = typeof track === 'string' ? track : track.id;
    let known = participant.tracks.find((one) => one.id === trackID);
    if (type === 'trackPublished') {
      if (known) Object.assign(known, track);
      else participant.tracks.push(known = track);
    } else if (type === 'trackUnpublished') {
      participant.tracks = participant.tracks.filter((one) => one !== known);
    } else if (known) {
      known.muted = muted;
    }
    if (participant !== this.self) this.#tell(type, { participant, track: known ?? { id: trackID } });
  }
}
