import type { EndpointTokens } from "../../auth/endpoint-token.ts";
import type { BuildQueue } from "../../images/build-queue.ts";
import type { ImageUse } from "../../images/image-use.ts";
import type { MicrovmService } from "../../lifecycle/microvm-service.ts";
import type { Quotas } from "../../model/quotas.ts";
import type { Store } from "../../store/store.ts";

/** What the operations of this service work with. */
export interface Dependencies {
  readonly store: Store;
  readonly microvms: MicrovmService;
  readonly tokens: EndpointTokens;
  readonly builds: BuildQueue;
  readonly imageUse: ImageUse;
  readonly quotas: Quotas;
  /** Refuses images for an architecture that this host is not. */
  readonly isArchitectureStrict: boolean;
  /** Longest that a run may ask for. */
  readonly maximumDurationSeconds: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}
