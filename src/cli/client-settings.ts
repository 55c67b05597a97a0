/** Where and as whom the SDK's clients call. */
export interface ClientSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** From the variables that `catnap env` prints; what is missing is empty, for the client to complain about. */
export function clientSettings(variables: Readonly<Record<string, string | undefined>>): ClientSettings {
  return {
    endpoint: variables["AWS_ENDPOINT_URL"] ?? "",
    region: variables["AWS_REGION"] ?? "",
    credentials: {
      accessKeyId: variables["AWS_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: variables["AWS_SECRET_ACCESS_KEY"] ?? "",
    },
  };
}
