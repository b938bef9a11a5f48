// Who of a one-to-one call is to be shown and heard, directly and in the room of the server. Knows neither page nor connection.

/**
 * Who takes part beside oneself: `[{id, name, video, cameraOn, microphoneOn, isOnHold}]`, `video` a MediaStreamTrack or null.
 * @param {OneToOneCall} call
 */
export function peopleOf(call) {
  const { room, user: { id: other, name }, peer } = call;
  if (!call.usesRoom || !room) {
    return [{
      id: other, name: name || other, video: call.link?.remote.video ?? null, cameraOn: peer.camera && !call.isOnHold,
      microphoneOn: peer.microphone, isOnHold: call.isHeld,
    }];
  }
  const holds = (user) => call.onHold.includes(user) || (call.isHeld && user === other);
  const inRoom = [...room.participants.values()].map((participant) => {
    const { id, user, tracks } = participant;
    const slot = room.slotOf(id, 'camera');
    const on = (source) => tracks.some((track) => track.source === source && !track.muted);
    return {
      id: user, name: participant.name || user, video: slot?.showing ? slot.mediaTrack : null, cameraOn: on('camera') && !call.holds,
      microphoneOn: on('microphone'), isOnHold: holds(user),
    };
  });
  // Whoever holds may be out of the room, for another call's.
  const away = new Set([...(holds(other) ? [other] : []), ...call.onHold]);
  for (const { id } of inRoom) away.delete(id);
  return [...inRoom, ...[...away].map((id) => ({
    id, name: call.nameOf(id), video: null, cameraOn: false, microphoneOn: true, isOnHold: true,
  }))];
}

/** The tracks to be heard. */
export function soundsOf(call) {
  if (call.isOnHold || (call.usesRoom && !call.room)) return [];
  if (!call.usesRoom) return [call.link?.remote.audio].filter(Boolean);
  return [...call.room.slots.values()].filter(({ kind, participant }) => kind === 'audio' && participant)
    .map(({ mediaTrack }) => mediaTrack);
}
