/** Hooks of an image, as far as they are enabled; times are limits in seconds (contract 5). */
export interface HookSettings {
  readonly port: number;
  readonly ready?: number;
  readonly validate?: number;
  readonly run?: number;
  readonly resume?: number;
  readonly suspend?: number;
  readonly terminate?: number;
}

export type HookName = Exclude<keyof HookSettings, "port">;

export const HOOK_PATH_PREFIX = "/aws/lambda-microvms/runtime/v1";

/** Limits when the request names none: build hooks 30 s, runtime hooks 1 s (contract 5). */
const DEFAULT_SECONDS: Readonly<Record<HookName, number>> = {
  ready: 30,
  validate: 30,
  run: 1,
  resume: 1,
  suspend: 1,
  terminate: 1,
};

/** `hooks` of a create or update request, of which this reads the toggles and limits. */
export interface HooksMember {
  readonly port?: number;
  readonly microvmHooks?: Readonly<Record<string, unknown>>;
  readonly microvmImageHooks?: Readonly<Record<string, unknown>>;
}

/** The enabled hooks of a request that was already validated; undefined when there are none. */
export function readHooks(hooks: HooksMember | undefined): HookSettings | undefined {
  if (hooks?.port === undefined) return undefined;
  const given = { ...hooks.microvmHooks, ...hooks.microvmImageHooks };
  const enabled = (Object.keys(DEFAULT_SECONDS) as HookName[]).filter((name) => given[name] === "ENABLED");
  if (enabled.length === 0) return undefined;
  const limits = enabled.map((name) => [
    name,
    (given[`${name}TimeoutInSeconds`] as number | undefined) ?? DEFAULT_SECONDS[name],
  ]);
  return { port: hooks.port, ...(Object.fromEntries(limits) as Partial<Record<HookName, number>>) };
}
