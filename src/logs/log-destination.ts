import type { Authorizer } from "../auth/authorizer.ts";
import type { Log } from "../observability/log.ts";
import { forgetSource, LogDelivery } from "./log-delivery.ts";
import type { LogOwner } from "./log-groups.ts";
import type { LogDb } from "./log-tables.ts";

/** The `logging` member of images and microVMs (contract 10). */
export interface LoggingSetting {
  readonly disabled?: object;
  readonly cloudWatch?: { readonly logGroup?: string; readonly logStream?: string };
}

export interface LogRequest extends LogOwner {
  readonly logging: LoggingSetting | undefined;
  /** Writes the logs; without one there are none. */
  readonly roleArn: string | undefined;
  /** The image or microVM, `aws:SourceArn` in the role's conditions. */
  readonly sourceArn: string;
  readonly imageName: string;
  readonly imageVersion: string;
  /** The id of the microVM, or of the build. */
  readonly id: string;
  readonly startedAt: Date;
}

export interface LogOpening {
  /** None when logging is off or there is no role to write it. */
  readonly delivery?: LogDelivery;
  /** Why the role may not write. */
  readonly refused?: string;
}

export interface LogDestinations {
  open(request: LogRequest): Promise<LogOpening>;
  /** Its output has come to an end. */
  forget(id: string): Promise<void>;
}

export interface LogDestinationOptions {
  readonly db: LogDb;
  readonly authorizer: Authorizer;
  readonly log: Log;
}

/** What the role needs; the group is made by the service itself when it may. */
const ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents"] as const;

export function createLogDestinations({ db, authorizer, log }: LogDestinationOptions): LogDestinations {
  return {
    async open(request) {
      const { roleArn, accountId, region } = request;
      if (roleArn === undefined || request.logging?.disabled !== undefined) return {};
      const target = { accountId, region, group: groupName(request), stream: streamName(request) };
      const resource = `arn:aws:logs:${region}:${accountId}:log-group:${target.group}:log-stream:${target.stream}`;
      for (const action of ACTIONS) {
        const decision = await authorizer.authorize({
          roleArn,
          accountId,
          action,
          resource,
          sourceArn: request.sourceArn,
        });
        if (decision.allowed) continue;
        log.warn(
          { id: request.id, roleArn, why: decision.why },
          "output is not logged: the role may not write its log",
        );
        return { refused: decision.why };
      }
      return { delivery: await LogDelivery.open({ db, target, source: request.id, log }) };
    },
    forget: (id) => forgetSource(db, id),
  };
}

function groupName({ logging, imageName }: LogRequest): string {
  return logging?.cloudWatch?.logGroup ?? `/aws/lambda-microvms/${imageName}`;
}

/** As the service was seen to name them: the UTC day of the start, the version, the id. */
function streamName({ logging, imageVersion, id, startedAt }: LogRequest): string {
  const day = startedAt.toISOString().slice(0, 10).replaceAll("-", "/");
  return logging?.cloudWatch?.logStream ?? `${day}[${imageVersion}]${id}`;
}
