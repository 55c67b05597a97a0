import { sendBytes, toBytes } from "./raw-http.ts";
import { signRequest, type SigningKey } from "./sign-request.ts";

/** One signed call with JSON both ways, for what no SDK client here knows; the service is `lambda`. */
export async function signedCall(
  { port, key }: { readonly port: number; readonly key: SigningKey },
  method: string,
  target: string,
  input?: object,
): Promise<{ status: number; answer: unknown }> {
  const body = Buffer.from(input === undefined ? "" : JSON.stringify(input));
  const draft = { method, target, headers: { host: "localhost", "content-type": "application/json" }, body };
  const headers = signRequest(draft, { key, service: "lambda" });
  const { status, text } = await sendBytes(port, [toBytes({ ...draft, headers })]);
  const content = text.slice(text.indexOf("\r\n\r\n") + 4);
  return {
    status: status ?? 0,
    answer: content === "" ? undefined : JSON.parse(Buffer.from(content, "latin1").toString()),
  };
}
