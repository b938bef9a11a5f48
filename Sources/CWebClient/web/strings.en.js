// Every sentence of the page, in English. Another language is another file with these keys, named in `strings.js`.

export const language = 'en';
export const direction = 'ltr';

export const strings = {
  appName: 'Majlis',
  tagline: 'A room to sit and talk.',

  // Lobby
  lobbyHeading: (room) => `Join “${room}”`,
  lobbyHeadingNoRoom: 'Join a room',
  youAppearAs: 'You appear as',
  unnamed: 'Guest',
  join: 'Join now',
  joinListening: 'Join to listen',
  joining: 'Joining…',
  tryAgain: 'Try again',
  microphone: 'Microphone',
  camera: 'Camera',
  speaker: 'Speaker',
  systemDefault: 'System default',
  deviceNumber: (kind, number) => `${kind} ${number}`,
  noDevice: 'None found',
  cameraIsOff: 'Camera is off',
  cameraStarting: 'Starting your camera…',
  levelLabel: 'Microphone level',

  // Tool bar
  muteMicrophone: 'Mute microphone',
  unmuteMicrophone: 'Unmute microphone',
  stopCamera: 'Turn camera off',
  startCamera: 'Turn camera on',
  shareScreen: 'Share your screen',
  stopScreen: 'Stop sharing',
  settings: 'Devices',
  statistics: 'Statistics',
  why: 'Connection quality: why?',
  leave: 'Leave',
  close: 'Close',
  toolbarLabel: 'Call controls',

  // Room
  you: 'You',
  youNamed: (name) => `${name} (you)`,
  screenOf: (name) => `${name}’s screen`,
  yourScreen: 'Your screen',
  aloneHere: 'Nobody else is here yet.',
  shareLink: 'Others join with a link of their own.',
  peopleCount: (count) => (count === 1 ? '1 person' : `${count} people`),
  stageLabel: 'People in the room',
  mutedLabel: 'muted',
  tapToHear: 'Tap to hear everyone',
  joinedRoom: (room) => `You are in “${room}”.`,
  personJoined: (name) => `${name} joined.`,
  personLeft: (name) => `${name} left.`,
  personDropped: (name) => `${name} lost the connection.`,

  videoPaused: 'Video paused: your connection is too slow',

  // End-to-end encryption
  encrypted: 'Encrypted from end to end: only those who have the key of this room see and hear.',
  noKey: 'You do not have the key of this room.',
  cannotDecrypt: 'Cannot be decrypted',
  notEncrypted: 'Not encrypted, so not shown',

  // A recording: the word on the badge, and the sentence that explains it
  recordings: {
    whole: ['Recording', 'This room is being recorded: what everybody says and shows is kept.'],
    headers: ['Diagnostics', 'Technical data of this room is being recorded to find faults. What people say and show is not.'],
  },
  recordingEnded: 'The recording has ended.',

  // Connection states, in the chip and the banner
  stateConnecting: 'Connecting…',
  stateConnected: 'Connected',
  stateRecovering: 'Reconnecting…',
  stateSignalling: 'Connected, catching up…',
  stateClosed: 'Not connected',
  bannerRecovering: 'The connection was lost. Looking for a new way to the room…',
  bannerSignalling: 'The line to the server dropped. You can still see and hear each other; reconnecting…',
  bannerSignallingShutdown: 'The server is restarting. You will be back in a moment.',
  bannerOffline: 'You are offline. The call goes on as soon as there is a network.',
  bannerBack: 'You are back.',

  // Devices
  deniedBoth: 'The browser did not allow the microphone or the camera. You can join and listen; '
    + 'to speak, allow them beside the address above and try again.',
  deniedMicrophone: 'The browser did not allow the microphone. You can join and listen.',
  deniedCamera: 'The browser did not allow the camera. You can join with sound only.',
  missingBoth: 'No microphone or camera was found. You can join and listen.',
  missingMicrophone: 'No microphone was found. You can join and listen.',
  missingCamera: 'No camera was found. You can join with sound only.',
  busyMicrophone: 'Another program is using the microphone. Close it and try again.',
  busyCamera: 'Another program is using the camera. Close it and try again.',
  insecure: 'Browsers allow microphone and camera only on a secure (https) address. You can join and listen.',
  microphoneLost: 'The microphone was unplugged. Another one is used.',
  cameraLost: 'The camera was unplugged. Another one is used.',
  microphoneGone: 'The microphone was unplugged, and there is no other. You can still listen.',
  cameraGone: 'The camera was unplugged, and there is no other.',
  screenRefused: 'The screen could not be shared.',
  notPermitted: (what) => `This link does not let you send ${what}.`,
  sources: { microphone: 'sound', camera: 'video', screen: 'a screen', screenAudio: 'the sound of a screen' },

  // Ends and refusals: heading and sentence
  ends: {
    noLink: ['This link is not complete', 'It names no room or carries no ticket. Ask for a new link.'],
    expired: ['This link has expired', 'Links are good for a limited time. Ask whoever invited you for a new one.'],
    unauthorised: ['This link is not valid', 'The server does not accept it. Ask for a new link.'],
    forbidden: ['You may not enter this room', 'Your link does not include it. Ask for another link.'],
    roomFull: ['The room is full', 'Everybody who fits is in. Try again when somebody has left.'],
    roomLocked: ['The room is locked', 'Nobody can enter at the moment. Ask somebody inside to open it.'],
    serverBusy: ['The server is busy', 'It cannot take another person right now. Try again in a moment.'],
    unreachable: ['The server cannot be reached', 'Check your connection, then try again.'],
    replaced: ['You joined from somewhere else', 'This page was replaced by another tab or device with the same link.'],
    removed: ['You were removed from the room', 'Somebody who looks after the room asked you to leave.'],
    roomEnded: ['The meeting has ended', 'The room was closed for everybody.'],
    timedOut: ['The connection was lost for too long', 'The others were told that you left. You can join again.'],
    encryptionUnsupported: ['This room cannot be encrypted here',
      'Your link asks for encryption from end to end. That needs a recent browser, a secure (https) address, '
      + 'and a server with VP8 or VP9.'],
    failed: ['The connection failed', 'Your network may block calls. You can try again.'],
    left: ['You left the room', 'You can come back any time with the same link.'],
    other: ['Something went wrong', 'The server and this page did not understand each other. Try again.'],
  },
  rejoin: 'Join again',

  // Statistics panel
  statisticsHeading: 'Live statistics',
  path: 'Path',
  pathDirect: 'direct',
  pathRelay: 'through a relay',
  roundTrip: 'Round trip',
  sendingNow: 'Sending',
  receivingNow: 'Receiving',
  available: 'Available to send',
  sent: 'Sent',
  received: 'Received',
  columns: {
    what: 'What', size: 'Size', frames: 'fps', rate: 'kbit/s', loss: 'Loss', jitter: 'Jitter', roundTrip: 'RTT',
  },
  emptySlot: 'free slot',

  // Connection quality
  whyHeading: 'Why?',
  qualityOf: (level) => `Connection: ${level}`,
  qualityLevels: ['unknown', 'bad', 'poor', 'good', 'very good'],
  soundQuality: 'Sound can be',
  lossBothWays: 'Lost',
  jitterBothWays: 'Jitter',
  rateBothWays: 'Rate',
  estimate: 'Your connection carries',
  fewerFrames: 'fewer frames',
  needs: (rate) => `more needs ${rate}`,
  bothWays: (toYou, fromYou) => `to you ${toYou}, from you ${fromYou}`,
  layer: (number) => `layer ${number}`,
  lost: (share) => `${share} lost`,
  nothingReceived: 'Nothing is sent to you at present.',

  noFigures: 'Figures come with the first media.',
};
