// What a client of the API does, as far as the compiler can check it: the types come from openapi/openapi.json.

import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

const client = createClient<paths>({ baseUrl: "http://localhost" });

type Policy = components["schemas"]["AlgPolicy"];
type Problem = components["schemas"]["Problem"];

/** Creates a service and a policy that listens on it, and turns FTP off in it. */
export async function configure(tenant: string): Promise<Policy> {
  const path = { tenant };
  const service = await client.POST("/v1/tenants/{tenant}/services", {
    params: { path },
    body: { name: "ftp-alt", protocol: "tcp", destination_port: "2121" },
  });
  if (service.error) throw new Error(explain(service.error));
  const created = await client.POST("/v1/tenants/{tenant}/alg-policies", {
    params: { path },
    body: { name: "branch", protocols: { ftp: { enabled: true, services: [service.data.id] } } },
  });
  if (created.error) throw new Error(explain(created.error));
  const patched = await client.PATCH("/v1/tenants/{tenant}/alg-policies/{id}", {
    params: {
      path: { tenant, id: created.data.id },
      header: { "If-Match": created.response.headers.get("etag") ?? "*" },
    },
    body: { protocols: { ftp: { enabled: false } } },
  });
  if (patched.error) throw new Error(explain(patched.error));
  return patched.data;
}

/** Lists who did what. */
export async function actors(tenant: string): Promise<string[]> {
  const page = await client.GET("/v1/tenants/{tenant}/audit", {
    params: { path: { tenant }, query: { per_page: 10 } },
  });
  if (page.error) throw new Error(explain(page.error));
  // The other representation is a line of NDJSON, which this did not ask for.
  if (!("items" in page.data)) return [];
  return page.data.items.flatMap((entry) => (entry.actor ? [entry.actor.name] : []));
}

function explain(problem: Problem): string {
  const fields = (problem.errors ?? []).map((error) => `${error.pointer} ${error.detail}`);
  return [problem.title, problem.detail, ...fields].join("; ");
}
