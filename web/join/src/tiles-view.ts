import type { Call, RemoteParticipant, RemoteVideoStream } from "@anteroom/client";
import { announce, h, personName, type Scope } from "./dom.js";
import { icon } from "./icons.js";

/** More tiles than that are counted, not shown. */
const MOST_TILES = 25;
const REACTION_MS = 5_000;
/** What most cameras send: tiles are made so that such a picture loses little. */
const PICTURE_RATIO = 16 / 9;

interface Tile {
  element: HTMLElement;
  end(): void;
}

/** The grid of who is in the meeting; a shared screen takes the stage. */
export class TilesView {
  readonly element = h("div", { class: "stage" });
  readonly #grid = h("ul", { class: "tiles", attrs: { "aria-label": "Participants" } });
  readonly #screen = h("div", { class: "screen", attrs: { role: "region", "aria-label": "Shared screen" } });
  readonly #call: Call;
  readonly #tiles = new Map<string, Tile>();
  #screenOf: RemoteVideoStream | undefined;
  #endScreen: (() => void) | undefined;
  readonly #self: Tile;
  readonly #more = h("li", { class: "tile more-tile" });

  constructor(call: Call, scope: Scope) {
    this.#call = call;
    this.element.append(this.#screen, this.#grid);
    this.#self = selfTile(call);
    const arrange = (): void => this.#arrange();
    scope.add(
      call.on("remoteParticipantsUpdated", ({ added, removed }) => {
        for (const p of removed) announce(`${p.displayName} left.`);
        for (const p of added) {
          announce(`${p.displayName}${p.isExternal ? ", external," : ""} joined.`);
          p.on("videoStreamsUpdated", arrange);
        }
        arrange();
      }),
      call.on("activeSpeakersChanged", arrange),
      call.activities.on("activity", (activity) => {
        if (activity.kind === "reaction") this.#react(activity.participant_id ?? "", activity.data);
      }),
      () => {
        this.#endScreen?.();
        this.#self.end();
        for (const tile of this.#tiles.values()) tile.end();
      },
    );
    for (const p of call.remoteParticipants) p.on("videoStreamsUpdated", arrange);
    arrange();
    const resized = new ResizeObserver(() => this.#setColumns());
    resized.observe(this.#grid);
    scope.add(() => resized.disconnect());
  }

  /** Chooses the number of columns with which a camera's whole picture fits into a tile at its largest, on a phone as beside an open panel. */
  #setColumns(): void {
    const { clientWidth: width, clientHeight: height } = this.#grid;
    const tiles = this.#grid.childElementCount;
    let [columns, largest] = [1, 0];
    for (let tried = 1; tried <= tiles; tried++) {
      const picture = Math.min(width / tried, (height / Math.ceil(tiles / tried)) * PICTURE_RATIO);
      if (picture > largest) [columns, largest] = [tried, picture];
    }
    this.#grid.style.setProperty("--columns", String(columns));
  }

  #arrange(): void {
    const all = this.#call.remoteParticipants;
    // Who speaks and who is seen comes first where not all have room; otherwise the order stays, so that nothing jumps.
    const rank = (p: RemoteParticipant): number => (p.isSpeaking ? 2 : 0) + (p.videoStreams.length > 0 ? 1 : 0);
    const chosen = all.length < MOST_TILES ? all : [...all].sort((a, b) => rank(b) - rank(a)).slice(0, MOST_TILES - 2);
    const ids = new Set(chosen.map((p) => p.identifier));
    for (const [id, tile] of this.#tiles) {
      if (ids.has(id)) continue;
      tile.end();
      tile.element.remove();
      this.#tiles.delete(id);
    }
    for (const participant of chosen) {
      if (this.#tiles.has(participant.identifier)) continue;
      const tile = remoteTile(participant);
      this.#tiles.set(participant.identifier, tile);
      this.#grid.append(tile.element);
    }
    const rest = all.length - chosen.length;
    this.#more.textContent = `and ${rest} more`;
    if (rest > 0) this.#grid.append(this.#more);
    else this.#more.remove();
    this.#grid.append(this.#self.element);
    this.#setColumns();
    this.#showScreen(all);
  }

  #showScreen(all: readonly RemoteParticipant[]): void {
    const owner = all.find((p) => p.videoStreams.some((s) => s.mediaStreamType === "ScreenSharing"));
    const stream = owner?.videoStreams.find((s) => s.mediaStreamType === "ScreenSharing");
    this.element.classList.toggle("has-screen", stream !== undefined);
    if (stream === this.#screenOf) return;
    this.#endScreen?.();
    this.#endScreen = undefined;
    this.#screenOf = stream;
    this.#screen.replaceChildren();
    if (!owner || !stream) return;
    const video = h("video", { class: "screen-video", attrs: { muted: true, "aria-label": `Screen of ${owner.displayName}` } });
    this.#screen.append(video, h("div", { class: "caption" }, icon("screen"), h("span", { class: "caption-text" }, "Screen of "), personName(owner.displayName, owner.isExternal)));
    this.#endScreen = stream.attach(video);
    announce(`${owner.displayName} shares the screen.`);
  }

  #react(participantId: string, data: unknown): void {
    const text = typeof data === "object" && data !== null && "reaction" in data ? String(data.reaction).slice(0, 16) : "";
    const tile = this.#tiles.get(participantId) ?? (participantId === this.#call.participantId ? this.#self : undefined);
    if (!tile || !text) return;
    const bubble = h("span", { class: "reaction", attrs: { role: "status" } }, text);
    tile.element.append(bubble);
    setTimeout(() => bubble.remove(), REACTION_MS);
  }
}

function remoteTile(participant: RemoteParticipant): Tile {
  const video = h("video", { attrs: { muted: true, "aria-hidden": "true" } });
  const caption = h("div", { class: "caption" });
  const element = h("li", { class: "tile" }, h("div", { class: "initials", attrs: { "aria-hidden": "true" } }, initials(participant.displayName)), video, caption);
  element.dataset.participant = participant.identifier;
  let attached: RemoteVideoStream | undefined;
  let detach: (() => void) | undefined;
  let watch: (() => void) | undefined;
  const update = (): void => {
    const name = personName(participant.displayName, participant.isExternal);
    if (participant.state === "Idle") name.append(h("span", { class: "idle" }, "reconnecting …"));
    caption.replaceChildren(
      ...(participant.isHandRaised ? [h("span", { class: "hand", title: "Hand raised" }, icon("hand"), h("span", { class: "sr" }, "Hand raised"))] : []),
      ...(participant.isMuted ? [h("span", { class: "muted", title: "Muted" }, icon("micOff"), h("span", { class: "sr" }, "Muted"))] : []),
      name,
    );
    element.classList.toggle("speaking", participant.isSpeaking);
    const camera = participant.videoStreams.find((s) => s.mediaStreamType === "Video");
    if (camera !== attached) {
      watch?.();
      detach?.();
      attached = camera;
      detach = camera?.attach(video);
      watch = camera?.on("isAvailableChanged", update);
    }
    // It keeps its place while there is no picture: how large it is says which picture is sent.
    video.classList.toggle("empty", !camera?.isAvailable);
  };
  update();
  const offs = [participant.on("updated", update), participant.on("videoStreamsUpdated", update), participant.on("isSpeakingChanged", update)];
  return {
    element,
    end() {
      for (const off of offs) off();
      watch?.();
      detach?.();
    },
  };
}

function selfTile(call: Call): Tile {
  const video = h("video", { class: "mirrored", attrs: { muted: true, "aria-hidden": "true" } });
  const caption = h("div", { class: "caption" });
  const element = h("li", { class: "tile self" }, h("div", { class: "initials", attrs: { "aria-hidden": "true" } }, initials(call.displayName)), video, caption);
  let detach: (() => void) | undefined;
  const update = (): void => {
    detach?.();
    detach = call.localVideo?.attach(video);
    video.hidden = !call.localVideo;
    caption.replaceChildren(
      ...(call.activities.isHandRaised ? [h("span", { class: "hand", title: "Hand raised" }, icon("hand"), h("span", { class: "sr" }, "Hand raised"))] : []),
      ...(call.isMuted ? [h("span", { class: "muted", title: "Muted" }, icon("micOff"), h("span", { class: "sr" }, "Muted"))] : []),
      personName(call.displayName, call.kind === "guest", true),
    );
  };
  update();
  const offs = [call.on("localVideoChanged", update), call.on("isMutedChanged", update), call.activities.on("isHandRaisedChanged", update)];
  return {
    element,
    end() {
      for (const off of offs) off();
      detach?.();
    },
  };
}

/** The first letters of the first and the last word. */
function initials(name: string): string {
  const words = name.split(/[\s.,()]+/u).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const first = words[0]?.[Symbol.iterator]().next().value ?? "?";
  const last = words.length > 1 ? (words.at(-1)?.[Symbol.iterator]().next().value ?? "") : "";
  return (first + last).toLocaleUpperCase();
}
