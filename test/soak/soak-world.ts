import type { LambdaMicrovmsClient } from "@aws-sdk/client-lambda-microvms";
import type { Place } from "../counted/counted-microvm.ts";
import type { CatnapServer } from "../support/catnap-server.ts";
import type { Random } from "../support/random.ts";
import type { Gate } from "./gate.ts";
import type { Tally } from "./soak-report.ts";
import type { Tenant } from "./tenant.ts";
import type { UnderWay } from "./under-way.ts";

/** What everybody who takes part in a soak works with. */
export interface SoakWorld {
  readonly server: CatnapServer;
  readonly client: () => LambdaMicrovmsClient;
  /** Images to run, each with its app's own ways. */
  readonly places: { readonly counter: Place; readonly ill: Place };
  readonly gate: Gate;
  readonly underWay: UnderWay;
  readonly operations: Tally;
  readonly faults: Tally;
  readonly endings: Tally;
  readonly tenants: Set<Tenant>;
  /** Grows with every fault that may cut a connection. */
  readonly upheavals: { count: number };
  /** On machines of builds, which may fail by it. */
  readonly blows: { onBuilds: number };
  readonly isOver: () => boolean;
  /** The same numbers for the same seed and name, whatever the others do meanwhile. */
  readonly randomOf: (name: string) => Random;
}
