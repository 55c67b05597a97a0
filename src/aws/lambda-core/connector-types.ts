/** Members as they travel; there is no SDK client that would type them. */
export interface VpcEgressConfiguration {
  readonly SubnetIds?: readonly string[];
  readonly SecurityGroupIds?: readonly string[];
  readonly NetworkProtocol?: string;
  readonly AssociatedComputeResourceTypes?: readonly string[];
}

export interface ConnectorConfiguration {
  readonly VpcEgressConfiguration?: VpcEgressConfiguration;
}

export interface CreateConnectorInput {
  readonly Name: string;
  readonly Configuration: ConnectorConfiguration;
  readonly OperatorRole?: string;
  readonly ClientToken?: string;
  readonly Tags?: Readonly<Record<string, string>>;
}

export interface UpdateConnectorInput {
  readonly Identifier: string;
  readonly Configuration?: ConnectorConfiguration;
  readonly OperatorRole?: string;
  readonly ClientToken?: string;
}

export interface ListConnectorsInput {
  readonly State?: string;
  readonly Marker?: string;
  readonly MaxItems?: number;
}
