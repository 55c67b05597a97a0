import type { GuestLink } from "../guest-link/guest-link.ts";

/** A running microVM, as far as a shell in it goes. */
export interface ShellTarget {
  readonly microvmId: string;
  readonly link: Pick<GuestLink, "session">;
  /** Bytes passed in either direction: the microVM is not idle. */
  touch(): void;
  /** Called when the microVM leaves RUNNING; returns what takes the listener off again. */
  onDown(listener: () => void): () => void;
}
