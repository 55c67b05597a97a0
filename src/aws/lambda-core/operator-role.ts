import type { Authorizer } from "../../auth/authorizer.ts";
import type { VpcEgressConfiguration } from "./connector-types.ts";

export interface RoleQuestion {
  readonly connectorArn: string;
  readonly accountId: string;
  readonly region: string;
  readonly operatorRole: string;
  readonly configuration: VpcEgressConfiguration;
}

/**
 * Why the operator role does not suffice, undefined when it does: the service must be let in, and the role must be
 * allowed to make network interfaces in every subnet (contract 8.2). Nothing is made with it here.
 */
export async function operatorRoleProblem(authorizer: Authorizer, question: RoleQuestion): Promise<string | undefined> {
  const { accountId, region, operatorRole, configuration } = question;
  const { SubnetIds = [], SecurityGroupIds = [] } = configuration;
  const of = (kind: string, id: string) => `arn:aws:ec2:${region}:${accountId}:${kind}/${id}`;
  const resources = [
    of("network-interface", "*"),
    ...SubnetIds.map((id) => of("subnet", id)),
    ...SecurityGroupIds.map((id) => of("security-group", id)),
  ];
  for (const resource of resources) {
    const decision = await authorizer.authorize({
      roleArn: operatorRole,
      accountId,
      action: "ec2:CreateNetworkInterface",
      resource,
      sourceArn: question.connectorArn,
    });
    if (!decision.allowed) return decision.why;
  }
  return undefined;
}
