import { signRequest, type RequestDraft, type SigningKey } from "../test/support/sign-request.ts";
import type { Stored } from "./fill-store.ts";

export interface ApiCall {
  readonly name: string;
  /** Every answer means that something is on disk. */
  readonly isDurableWrite?: true;
  readonly make: (
    index: number,
    stored: Stored,
  ) => Pick<RequestDraft, "method" | "target"> & { readonly input?: object };
}

const image = ({ imageArns }: Stored, index: number) => imageArns[index % imageArns.length] ?? "";
const microvm = ({ microvmIds }: Stored, index: number) => microvmIds[index % microvmIds.length] ?? "";

export const API_CALLS: readonly ApiCall[] = [
  {
    name: "GetMicrovm",
    make: (index, stored) => ({ method: "GET", target: `/2025-09-09/microvms/${microvm(stored, index)}` }),
  },
  {
    name: "GetMicrovmImage",
    make: (index, stored) => ({
      method: "GET",
      target: `/2025-09-09/microvm-images/${encodeURIComponent(image(stored, index))}`,
    }),
  },
  { name: "ListMicrovms, 10 a page", make: () => ({ method: "GET", target: "/2025-09-09/microvms?maxResults=10" }) },
  {
    name: "ListMicrovmImages, 10 a page",
    make: () => ({ method: "GET", target: "/2025-09-09/microvm-images?maxResults=10" }),
  },
  {
    name: "CreateMicrovmAuthToken",
    make: (index, stored) => ({
      method: "POST",
      target: `/2025-09-09/microvms/${microvm(stored, index * 2)}/auth-token`,
      input: { expirationInMinutes: 60, allowedPorts: [{ port: 8080 }] },
    }),
  },
  {
    name: "TagResource",
    isDurableWrite: true,
    make: (index, stored) => ({
      method: "POST",
      target: `/2017-03-31/tags/${encodeURIComponent(image(stored, index))}`,
      input: { Tags: { round: String(index) } },
    }),
  },
  {
    name: "RunMicrovm, to PENDING",
    isDurableWrite: true,
    make: (index, stored) => ({
      method: "POST",
      target: "/2025-09-09/microvms",
      input: { imageIdentifier: image(stored, index) },
    }),
  },
];

/** Requests as they go over the wire, each with a date of its own: signatures are made before, dates may be off by minutes. */
export function signedRequests({ make }: ApiCall, stored: Stored, { key, count }: { key: SigningKey; count: number }) {
  return Array.from({ length: count }, (_, index) => {
    const { method, target, input } = make(index, stored);
    const body = Buffer.from(input === undefined ? "" : JSON.stringify(input));
    const content: Record<string, string> = input === undefined ? {} : { "content-type": "application/json" };
    const headers = { host: "localhost", "content-length": String(body.length), ...content };
    const at = new Date(Date.now() - (index % DATES) * 1000);
    const signed = signRequest({ method, target, headers, body }, { key, service: "lambda", at });
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
    return Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
  });
}

const DATES = 240;
