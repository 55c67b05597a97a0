import { randomUUID } from "node:crypto";
import { parseConnectorArn } from "../../model/connectors.ts";
import { countConnectors, findConnector, insertConnector, type ConnectorRow } from "../../store/connector-store.ts";
import { remember, replay, tokenUse } from "../client-token.ts";
import type { Operation, OperationContext } from "../service.ts";
import { checkTags } from "../tag-rules.ts";
import { connectorConflict, connectorLimit, invalidParameter } from "./connector-faults.ts";
import { checkConfiguration, checkOperatorRole } from "./connector-rules.ts";
import type { CreateConnectorInput } from "./connector-types.ts";
import { connectorView, type MadeConnector } from "./connector-view.ts";
import type { Dependencies } from "./dependencies.ts";
import { operatorRoleProblem } from "./operator-role.ts";

/**
 * Nothing has to be provisioned on a host of one's own, so the outcome is on record at once; the answer is PENDING, as
 * the service's, and the next read tells ACTIVE, or FAILED with the reason.
 */
export function createNetworkConnector(dependencies: Dependencies): Operation<CreateConnectorInput, MadeConnector> {
  const { store, quotas, now } = dependencies;
  return async (input, context) => {
    const fresh = await newConnector(dependencies, input, context);
    const use = tokenUse("CreateNetworkConnector", { clientToken: input.ClientToken, ...input }, context);
    return store.db.transaction().execute(async (db) => {
      const at = now();
      const first = await replay<MadeConnector>(db, use, {
        now: at,
        stillExists: async ({ Id }) => (await findConnector(db, context, { id: Id })) !== undefined,
        conflict: connectorConflict,
      });
      if (first) return first;
      if (await findConnector(db, context, { name: fresh.name }))
        throw connectorConflict(`A network connector with the name '${fresh.name}' already exists in this account`);
      const { networkConnectors: limit } = quotas;
      if (limit !== undefined && (await countConnectors(db, context)) >= limit) throw connectorLimit(limit);
      const row = { ...fresh, created_at: at, modified_at: at };
      await insertConnector(db, row);
      const answer = connectorView(row, "PENDING");
      await remember(db, use, answer, at);
      return answer;
    });
  };
}

type FreshConnector = Omit<ConnectorRow, "created_at" | "modified_at">;

async function newConnector(
  { authorizer }: Dependencies,
  input: CreateConnectorInput,
  { accountId, region }: OperationContext,
): Promise<FreshConnector> {
  const name = plainName(input.Name, { accountId, region });
  const operatorRole = checkOperatorRole(input.OperatorRole);
  const configuration = checkConfiguration(input.Configuration);
  const tags = checkTags(input.Tags ?? {}, invalidParameter);
  const id = `nc-${randomUUID()}`;
  const arn = `arn:aws:lambda:${region}:${accountId}:network-connector:${id}`;
  const question = { connectorArn: arn, accountId, region, operatorRole, configuration };
  const problem = await operatorRoleProblem(authorizer, question);
  return {
    id,
    arn,
    account_id: accountId,
    region,
    name,
    state: problem === undefined ? "ACTIVE" : "FAILED",
    state_reason: problem ?? null,
    state_reason_code: problem === undefined ? null : "InsufficientRolePermissions",
    configuration_json: JSON.stringify(configuration),
    operator_role: operatorRole,
    version: 1,
    update_status: null,
    update_reason: null,
    update_reason_code: null,
    tags_json: JSON.stringify(tags),
    deleted_at: null,
  };
}

/** The model lets a name come as an ARN: then of the caller's own account and Region. */
function plainName(given: string, owner: { accountId: string; region: string }): string {
  if (!given.startsWith("arn:")) return given;
  const parsed = parseConnectorArn(given);
  if (parsed.kind === "customer" && parsed.account === owner.accountId && parsed.region === owner.region)
    return parsed.id;
  throw invalidParameter(`The name ${given} is not of this account and Region; give the name alone`);
}
