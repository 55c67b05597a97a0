import type { GuestLink, GuestSession, SessionRefusal, SessionRequest } from "../guest-link/guest-link.ts";

const PROMPT = "λ $ ";
/** Start-up files of distributions set a prompt of their own; this comes after them, once. */
const BASH_FIRST_PROMPT = `PS1='${PROMPT}'; unset PROMPT_COMMAND`;

/** Root at / on a terminal of no size yet, with the service's prompt (contract 7, observed 2.6). */
const LIKE_THE_SERVICE = {
  env: { TERM: "xterm", PS1: PROMPT },
  user: "0",
  workingDir: "/",
  terminal: { columns: 0, rows: 0 },
} as const;

const SHELLS: readonly SessionRequest[] = [
  { ...LIKE_THE_SERVICE, argv: ["bash"], env: { ...LIKE_THE_SERVICE.env, PROMPT_COMMAND: BASH_FIRST_PROMPT } },
  { ...LIKE_THE_SERVICE, argv: ["sh"] },
  // An image may lack a PATH that leads to its shell.
  { ...LIKE_THE_SERVICE, argv: ["/bin/sh"] },
  { ...LIKE_THE_SERVICE, argv: ["sh"], isBusybox: true },
];

const CANNOT_RUN = new Set([126, 127]);

export interface StartedShell {
  readonly session: GuestSession;
  /** The image has no shell of its own. */
  readonly isFallback: boolean;
}

/** The best shell the image has, or else the agent's busybox. */
export async function startShell(
  link: Pick<GuestLink, "session">,
  signal: AbortSignal,
): Promise<StartedShell | SessionRefusal> {
  let last: SessionRefusal | undefined;
  for (const request of SHELLS) {
    const session = await link.session(request, signal);
    if (!("refused" in session)) return { session, isFallback: request.isBusybox === true };
    last = session;
    if (session.refused !== "not-started" || !CANNOT_RUN.has(session.code)) break;
  }
  return last ?? { refused: "agent-refused", reason: "no shell" };
}
