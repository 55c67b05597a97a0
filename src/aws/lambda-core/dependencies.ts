import type { Authorizer } from "../../auth/authorizer.ts";
import type { Store } from "../../store/store.ts";

/** What the operations of this service work with. */
export interface Dependencies {
  readonly store: Store;
  /** Judges operator roles. */
  readonly authorizer: Authorizer;
  /** Binds the egress of microVMs with this connector again. */
  readonly rebindEgress: (connectorArn: string) => Promise<void>;
  /** Network connectors of one account in one Region; undefined for as many as there is room for. */
  readonly connectorLimit: number | undefined;
  /** Epoch milliseconds. */
  readonly now: () => number;
}
