// What a participant asks of a room's life: hands, invitations, roles, signs, messages, and what hosts do. Each is a command of
// docs/protocol.md and a promise of its answer; what comes of it is told to all by the room's events. Draws nothing.

/** The life of one room, as one participant takes part in it: `room.life`. */
export class Life {
  #session;
  #roster;

  constructor(session, roster) {
    this.#session = session;
    this.#roster = roster;
  }

  /** The participants with a raised hand, oneself among them, the first to raise it first. */
  get hands() {
    const { self, participants } = this.#roster;
    return [self, ...participants.values()].filter((one) => one?.hand).sort((a, b) => a.hand - b.hand);
  }

  /** Asks to speak. */
  raiseHand() { return this.#ask({ type: 'raiseHand' }); }
  /** No longer asks. */
  lowerHand() { return this.#ask({ type: 'lowerHand' }); }
  /** Answers a host's invitation to speak (`self.invited`). */
  answerInvitation(accept) { return this.#ask({ type: 'answerInvitation', accept }); }
  /** Gives the own role up: a speaker becomes a listener, a host a speaker. */
  stepDown() { return this.#ask({ type: 'stepDown' }); }
  /** Shows a sign to all. */
  react(reaction) { return this.#ask({ type: 'react', reaction }); }
  /** Sends a text to all, or to one participant. */
  send(text, to) { return this.#ask({ type: 'message', text, ...(to && { to }) }); }
  /** A text about oneself that all see, or null. */
  setMetadata(metadata) { return this.#ask({ type: 'metadata', metadata }); }
  /** Acts as a host; `moderate` in docs/protocol.md has the actions and their fields. */
  moderate(action, fields = {}) { return this.#ask({ type: 'moderate', action, ...fields }); }

  #ask(message) { return this.#session.request(message); }
}
