import type { Authorizer } from "../../auth/authorizer.ts";
import type { Quotas } from "../../model/quotas.ts";
import type { Store } from "../../store/store.ts";

/** What the operations of this service work with. */
export interface Dependencies {
  readonly store: Store;
  /** Judges operator roles. */
  readonly authorizer: Authorizer;
  /** Binds the egress of microVMs with this connector again. */
  readonly rebindEgress: (connectorArn: string) => Promise<void>;
  readonly quotas: Quotas;
  /** Epoch milliseconds. */
  readonly now: () => number;
}
