import type { SessionRefusal } from "../guest-link/guest-link.ts";

/** What a person is told when a session does not start: what happened, and what to do. */
export function refusalText(refusal: SessionRefusal): string {
  switch (refusal.refused) {
    case "not-started":
      return refusal.reason;
    case "agent-too-old":
      return (
        "This MicroVM's image was built before Catnap had shells: the guest agent in its snapshot knows none. " +
        "Build a new image version (update-microvm-image) and run a MicroVM from it."
      );
    case "agent-refused":
      return `The MicroVM opens no session: ${refusal.reason}.`;
    case "guest-unreachable":
      return "The MicroVM's agent did not answer; it may be starting or overloaded. Try again.";
  }
}
