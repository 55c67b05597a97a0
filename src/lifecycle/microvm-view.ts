import type { MicrovmRow } from "../store/microvm-store.ts";
import type { MicrovmView, RunRequest } from "./microvm-service.ts";

/** Members of the run request that `request_json` keeps; the others have columns of their own. */
type StoredRequest = Omit<RunRequest, "accountId" | "region" | "imageArn" | "imageVersion" | "buildId">;

export function storeRequest(request: RunRequest): string {
  const { accountId: _a, region: _r, imageArn: _i, imageVersion: _v, buildId: _b, ...stored } = request;
  return JSON.stringify(stored satisfies StoredRequest);
}

export function viewOf(row: MicrovmRow): MicrovmView {
  const request = JSON.parse(row.request_json) as StoredRequest;
  return {
    ...request,
    accountId: row.account_id,
    region: row.region,
    imageArn: row.image_arn,
    imageVersion: row.image_version,
    buildId: row.build_id,
    microvmId: row.id,
    state: row.state,
    ...(row.state_reason === null ? {} : { stateReason: row.state_reason }),
    endpoint: row.endpoint,
    startedAt: new Date(row.started_at),
    ...(row.terminated_at === null ? {} : { terminatedAt: new Date(row.terminated_at) }),
  };
}

/** What the row keeps of the request once /run has answered: the payload may be a secret and is of no more use. */
export function withoutPayload(row: MicrovmRow): Pick<MicrovmRow, "request_json"> {
  const { runHookPayload, ...kept } = JSON.parse(row.request_json) as StoredRequest;
  return { request_json: runHookPayload === undefined ? row.request_json : JSON.stringify(kept) };
}
