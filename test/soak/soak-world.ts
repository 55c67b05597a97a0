import type { LambdaMicrovmsClient } from "@aws-sdk/client-lambda-microvms";
import type { CountedMicrovm, Place } from "../counted/counted-microvm.ts";
import type { CatnapServer } from "../support/catnap-server.ts";
import type { Random } from "../support/random.ts";
import type { Fate } from "./fate.ts";
import type { Gate } from "./gate.ts";
import type { Tally } from "./soak-report.ts";
import type { UnderWay } from "./under-way.ts";
import type { Upheavals } from "./upheavals.ts";

/** What everybody who takes part in a soak works with. */
export interface SoakWorld {
  readonly server: CatnapServer;
  readonly client: () => LambdaMicrovmsClient;
  /** Images to run, each with its app's own ways. */
  readonly places: { readonly counter: Place; readonly ill: Place | undefined };
  readonly gate: Gate;
  readonly underWay: UnderWay;
  readonly operations: Tally;
  readonly faults: Tally;
  readonly endings: Tally;
  readonly tenants: Set<Tenancy>;
  readonly upheavals: Upheavals;
  /** On machines of builds, which may fail by it. */
  readonly blows: { onBuilds: number };
  readonly isOver: () => boolean;
  /** The same numbers for the same seed and name, whatever the others do meanwhile. */
  readonly randomOf: (name: string) => Random;
}

/** Somebody who has one microVM after another, as seen by operations and by others. */
export interface Tenancy {
  readonly world: SoakWorld;
  readonly random: Random;
  /** Of the microVM of now. */
  readonly fate: Fate;
  /** Between two microVMs there is none. */
  readonly current: CountedMicrovm | undefined;
  /** The same, where there must be one. */
  readonly microvm: CountedMicrovm;
  /** Runs the app that can behave badly. */
  readonly isIll: boolean;
  /** argv of a shell. */
  readonly shell: readonly string[];
  readonly directory: string;
  /** The process of its microVM, while there is one. */
  machine(): Promise<number | undefined>;
  /** Its microVM ends now, or has ended: so it must say, for a reason that is known here. */
  mourn(cause?: unknown): Promise<void>;
  /** Its microVM ends by its own wish. */
  moveOut(): Promise<void>;
}
