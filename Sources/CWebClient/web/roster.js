// Who is in a room and as what, what they publish, who waits for it, what the room is like, and whether it is being recorded,
// as the server's events tell it.

/** The participants of one room; `tell(type, detail)` is told what changed, in the words of Room's events. */
export class Roster {
  #tell;
  self = null;
  participants = new Map();
  /** `{payload}` while the room is being recorded: `headers`, or `whole`; null otherwise. */
  recording = null;
  /** `{locked, lobby, metadata?}`. */
  settings = { locked: false, lobby: false };
  /** Who waits to come in, as hosts are told: id → `{id, user, name}`. */
  waiting = new Map();

  constructor(tell) { this.#tell = tell; }

  /** Begins with what `joined` said. */
  snapshot({ participant, participants, recording, settings, waiting }) {
    this.recording = recording ?? null;
    this.settings = settings ?? { locked: false, lobby: false };
    this.waiting = new Map((waiting ?? []).map((one) => [one.id, one]));
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
        if (!known) return true;
        const before = { role: known.role, hand: known.hand, invited: known.invited };
        // What the message does not name is not so any more.
        for (const key of ['hand', 'invited', 'metadata', 'name']) delete known[key];
        this.#tell('participantUpdated', { participant: Object.assign(known, participant), before });
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
      case 'roomUpdated':
        this.settings = message.settings;
        this.#tell('settings', { settings: this.settings });
        return true;
      case 'waiting': {
        const { person, state } = message;
        if (state === 'waiting') this.waiting.set(person.id, person);
        else this.waiting.delete(person.id);
        this.#tell('waiting', { person, state });
        return true;
      }
      case 'recording':
        this.recording = message.state === 'on' ? { payload: message.payload } : null;
        this.#tell('recording', { recording: this.recording });
        return true;
      default:
        return false;
    }
  }

  #trackChanged({ type, participant: id, track, muted, by }) {
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
    else if (type === 'trackMuted') this.#tell('selfMuted', { track: known ?? { id: trackID }, muted, by });
  }
}
