import type { ProtocolError } from "./protocol.js";

/**
 * AnteroomError is a refusal or a failure with a stable reason: one of the server's (docs/protocol.md) or one of this library's own
 * (`connection_lost`, `connection_failed`, `not_connected`, `device_not_found`, `device_permission_denied`, `device_in_use`, `cancelled`).
 * The message is plain English and may be shown.
 */
export class AnteroomError extends Error {
  override readonly name = "AnteroomError";

  constructor(
    readonly reason: string,
    message: string,
    /** The field of the request that was wrong, if one was. */
    readonly field?: string,
  ) {
    super(message);
  }

  /** For this library: the error of a reply. */
  static of(error: ProtocolError): AnteroomError {
    return new AnteroomError(error.reason, error.message, error.field);
  }
}

/** Tells what went wrong with a camera, microphone or screen, by the name of the browser's error. */
export function deviceError(error: unknown, device: string): AnteroomError {
  if (error instanceof AnteroomError) return error;
  const name = error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return new AnteroomError("device_permission_denied", `This page may not use the ${device}. Allow it in the browser's address bar, then try again.`);
    case "NotFoundError":
    case "OverconstrainedError":
      return new AnteroomError("device_not_found", `No ${device} was found. Connect one, then try again.`);
    case "NotReadableError":
    case "AbortError":
      return new AnteroomError("device_in_use", `The ${device} can't be used. Another program may have it: close that, then try again.`);
    default:
      return new AnteroomError("device_failed", `The ${device} could not be started.`);
  }
}
