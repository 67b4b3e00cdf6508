// Runs inside each page before anything else. A minimal rtcstats collector around one
// peer connection: it writes down connection events and, once a second, getStats().
// `signal` (bound by the script) carries candidates out; the script calls `call.*` in.
(() => {
  const PC = 'PC_0';
  const log = [];
  const record = (method, pc, value) => log.push([method, pc, value ?? null, Date.now()]);
  let pc;
  let poll;
  let screen;
  const early = [];

  const describe = (stream) => ({
    id: stream.id,
    tracks: stream.getTracks().map(({ id, kind, label, enabled, muted, readyState }) => ({
      id, kind, label, enabled, muted, readyState,
    })),
  });

  // A real collector prints the whole session description; it holds addresses and keys
  // and nothing that analytics reads, so only its type is kept.
  const bare = (description) => ({ type: description.type, sdp: '' });

  async function capture(method, constraints) {
    record(`navigator.mediaDevices.${method}`, null, constraints);
    const stream = await navigator.mediaDevices[method](constraints);
    record(`navigator.mediaDevices.${method}OnSuccess`, null, describe(stream));
    return stream;
  }

  function addTrack(track, stream) {
    record('addTrack', PC, `${track.kind}:${track.id} ${stream.id}`);
    return pc.addTrack(track, stream);
  }

  // Chromium's default for Opus is sized for mono speech; conferences ask for more.
  async function speakUp() {
    const sender = pc.getSenders().find(({ track }) => track?.kind === 'audio');
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.maxBitrate = 48_000;
    await sender.setParameters(parameters);
  }

  async function sample() {
    if (!pc || pc.connectionState === 'closed') return;
    const reports = {};
    for (const [id, report] of await pc.getStats()) reports[id] = { ...report };
    record('getstats', PC, reports);
  }

  function watch() {
    pc.onicecandidate = ({ candidate }) => {
      record('onicecandidate', PC, candidate && candidate.toJSON());
      if (candidate) window.signal(candidate.toJSON());
    };
    pc.onnegotiationneeded = () => record('onnegotiationneeded', PC, null);
    pc.onsignalingstatechange = () => record('onsignalingstatechange', PC, pc.signalingState);
    pc.onicegatheringstatechange = () => record('onicegatheringstatechange', PC, pc.iceGatheringState);
    pc.oniceconnectionstatechange = () => record('oniceconnectionstatechange', PC, pc.iceConnectionState);
    pc.onconnectionstatechange = () => record('onconnectionstatechange', PC, pc.connectionState);
    pc.ontrack = ({ track, streams }) => {
      record('ontrack', PC, `${track.kind}:${track.id} stream:${streams[0]?.id ?? '-'}`);
      const element = document.createElement(track.kind);
      element.autoplay = true;
      element.srcObject = new MediaStream([track]);
      document.body.append(element);
      track.onended = () => element.remove();
    };
  }

  async function step(method, argument, shown) {
    record(method, PC, shown);
    const result = await pc[method](argument);
    record(`${method}OnSuccess`, PC, result ? bare(result) : null);
    return result;
  }

  // Candidates may come before the description they belong to.
  async function addEarly() {
    for (const candidate of early.splice(0)) await step('addIceCandidate', candidate, candidate);
  }

  window.call = {
    async start(constraints) {
      const stream = await capture('getUserMedia', constraints);
      const configuration = { iceServers: [], bundlePolicy: 'max-bundle' };
      record('create', PC, configuration);
      pc = new RTCPeerConnection(configuration);
      watch();
      for (const track of stream.getTracks()) addTrack(track, stream);
      await speakUp();
      poll = setInterval(sample, 1000);
    },

    async offer() {
      const offer = await step('createOffer', undefined, null);
      await step('setLocalDescription', offer, bare(offer));
      return { type: offer.type, sdp: offer.sdp };
    },

    async answer(offer) {
      await step('setRemoteDescription', offer, bare(offer));
      await addEarly();
      const answer = await step('createAnswer', undefined, null);
      await step('setLocalDescription', answer, bare(answer));
      return { type: answer.type, sdp: answer.sdp };
    },

    async accept(answer) {
      await step('setRemoteDescription', answer, bare(answer));
      await addEarly();
    },

    async candidate(candidate) {
      if (!pc?.remoteDescription) early.push(candidate);
      else await step('addIceCandidate', candidate, candidate);
    },

    async connected() {
      const deadline = Date.now() + 15_000;
      while (pc.connectionState !== 'connected') {
        if (pc.connectionState === 'failed' || Date.now() > deadline) {
          throw new Error(`the peer connection did not connect: it is ${pc.connectionState}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },

    async share(constraints) {
      const stream = await capture('getDisplayMedia', constraints);
      const [track] = stream.getVideoTracks();
      track.contentHint = 'detail';
      screen = { stream, sender: addTrack(track, stream) };
    },

    // Told by the script, as a conference application would: which SSRC is a screen.
    videoType(ssrc, videoType) {
      record('setVideoType', null, { ssrc, videoType });
    },

    async screenSsrc() {
      const reports = [...(await pc.getStats()).values()];
      return reports.find((report) => report.type === 'outbound-rtp'
        && report.kind === 'video' && report.contentType === 'screenshare')?.ssrc ?? null;
    },

    async unshare() {
      const { sender } = screen;
      record('removeTrack', PC, `${sender.track.kind}:${sender.track.id}`);
      // Stopping, not just emptying, ends the stream's report on both sides.
      pc.getTransceivers().find((transceiver) => transceiver.sender === sender).stop();
      for (const track of screen.stream.getTracks()) track.stop();
      screen = undefined;
    },

    async hangUp() {
      clearInterval(poll);
      await sample();
      record('close', PC, null);
      pc.close();
      return { log, userAgent: navigator.userAgent, url: location.href, origin: location.origin };
    },
  };
})();
