/**
 * What a page that is loaded anew needs to come back to the same place: kept in this tab only, and not beyond the call. Nobody's name is in it, since
 * browsers leave on their disk for a while what was taken out; the token is worth nothing once the call is over.
 */
import { LocalVideoStream, type Call } from "@anteroom/client";

/** One's place in a meeting, and what one sent from there. */
export interface Place {
  resumeToken: string;
  asGuest: boolean;
  muted: boolean;
  /** The camera that was on: its id, "" for the system's. */
  camera?: string;
}

const key = (): string => `anteroom.place:${location.pathname}`;

/** The place that the page before had in this meeting. */
export function keptPlace(): Place | undefined {
  const text = sessionStorage.getItem(key());
  return text === null ? undefined : (JSON.parse(text) as Place);
}

export function forgetPlace(): void {
  sessionStorage.removeItem(key());
}

/** Keeps the place of a call up to date until the call is over. */
export function keepPlace(call: Call, asGuest: boolean): void {
  const keep = (): void => {
    if (call.state === "Disconnected" || call.state === "Disconnecting") return;
    const camera = call.localVideo && (call.localVideo.source?.id ?? "");
    const place: Place = { resumeToken: call.resumeToken, asGuest, muted: call.isMuted, ...(camera !== undefined && { camera }) };
    sessionStorage.setItem(key(), JSON.stringify(place));
  };
  keep();
  call.on("resumeTokenChanged", keep);
  call.on("isMutedChanged", keep);
  call.on("localVideoChanged", keep);
  // Another camera in the same stream is told by nothing.
  addEventListener("pagehide", keep);
  call.on("stateChanged", (state) => {
    if (state !== "Disconnecting" && state !== "Disconnected") return;
    removeEventListener("pagehide", keep);
    forgetPlace();
  });
}

/** The camera that was on. */
export function cameraOf(place: Place): LocalVideoStream | undefined {
  if (place.camera === undefined) return undefined;
  return new LocalVideoStream(place.camera ? { id: place.camera, name: "" } : undefined);
}
