/** 3 significant digits at most, and never "0" for what is not. */
export function ms(value: number): string {
  return Number.isNaN(value) ? "" : `${round(value)} ms`;
}

export function seconds(milliseconds: number): string {
  return `${round(milliseconds / 1000)} s`;
}

export function mib(bytes: number): string {
  return Number.isNaN(bytes) ? "" : `${round(bytes / 2 ** 20)} MiB`;
}

export function times(value: number): string {
  return Number.isNaN(value) ? "" : `${round(value)} ×`;
}

export function perSecond(value: number): string {
  return `${round(value)}/s`;
}

function round(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}
