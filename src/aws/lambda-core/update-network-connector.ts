import {
  findConnector,
  updateConnector,
  type ConnectorChange,
  type ConnectorRow,
} from "../../store/connector-store.ts";
import { remember, replay, tokenUse } from "../client-token.ts";
import type { Operation } from "../service.ts";
import { connectorConflict, invalidParameter } from "./connector-faults.ts";
import { checkConfiguration, checkOperatorRole } from "./connector-rules.ts";
import type { UpdateConnectorInput, VpcEgressConfiguration } from "./connector-types.ts";
import { connectorView, type MadeConnector } from "./connector-view.ts";
import type { Dependencies } from "./dependencies.ts";
import { requireConnector } from "./find-connector.ts";
import { operatorRoleProblem } from "./operator-role.ts";

interface Answer extends MadeConnector {
  readonly LastUpdateStatus: string;
  readonly LastModified: Date;
}

/** A given configuration replaces the whole of the old one; an update that fails leaves the connector as it was. */
export function updateNetworkConnector(dependencies: Dependencies): Operation<UpdateConnectorInput, Answer> {
  const { store, rebindEgress, now } = dependencies;
  return async (input, context) => {
    if (input.Configuration === undefined && input.OperatorRole === undefined)
      throw invalidParameter("An update needs a Configuration, an OperatorRole, or both");
    const use = tokenUse("UpdateNetworkConnector", { clientToken: input.ClientToken, ...input }, context);
    const before = await requireConnector(store.db, context, input.Identifier).catch(() => undefined);
    const change = before && (await outcome(dependencies, before, input));
    const { answer, isNew } = await store.db.transaction().execute(async (db) => {
      const at = now();
      const first = await replay<Answer>(db, use, {
        now: at,
        stillExists: async ({ Id }) => (await findConnector(db, context, { id: Id })) !== undefined,
        conflict: connectorConflict,
      });
      if (first) return { answer: first, isNew: false };
      const row = await requireConnector(db, context, input.Identifier);
      if (row.state !== "ACTIVE")
        throw connectorConflict(`Network connector ${row.arn} cannot be updated in its current state: ${row.state}`);
      // judged before this transaction began, on the version that is changed here
      if (change?.version !== row.version + 1)
        throw connectorConflict(`Network connector ${row.arn} is being updated by another call`);
      await updateConnector(db, row.id, { ...change, modified_at: at });
      const view = connectorView({ ...row, ...change });
      const made = { ...view, LastUpdateStatus: "InProgress", LastModified: new Date(at) };
      await remember(db, use, made, at);
      return { answer: made, isNew: true };
    });
    if (isNew) await rebindEgress(answer.Arn);
    return answer;
  };
}

async function outcome(
  { authorizer }: Dependencies,
  row: ConnectorRow,
  input: UpdateConnectorInput,
): Promise<ConnectorChange> {
  const configuration = input.Configuration
    ? checkConfiguration(input.Configuration)
    : (JSON.parse(row.configuration_json) as VpcEgressConfiguration);
  const operatorRole = checkOperatorRole(input.OperatorRole ?? row.operator_role ?? undefined);
  const { arn: connectorArn, account_id: accountId, region } = row;
  const problem = await operatorRoleProblem(authorizer, {
    connectorArn,
    accountId,
    region,
    operatorRole,
    configuration,
  });
  const version = row.version + 1;
  if (problem !== undefined) {
    const update_reason_code = "InsufficientRolePermissions";
    return { version, update_status: "Failed", update_reason: problem, update_reason_code };
  }
  return {
    version,
    configuration_json: JSON.stringify(configuration),
    operator_role: operatorRole,
    update_status: "Successful",
    update_reason: null,
    update_reason_code: null,
  };
}
