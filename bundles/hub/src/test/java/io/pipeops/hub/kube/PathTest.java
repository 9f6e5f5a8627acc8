package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.hub.FakeAgent;
import io.pipeops.hub.RawClient;
import io.pipeops.hub.TestHub;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PathTest {
  @ParameterizedTest
  @CsvSource({
    "/api/v1/pods, /api/v1/pods",
    "/apis/rbac/clusterroles/system:node, /apis/rbac/clusterroles/system:node",
    "/apis/rbac/clusterroles/system%3Anode, /apis/rbac/clusterroles/system:node",
    "/api/a%20b, /api/a b",
    "/api/100%25, /api/100%",
    "/api/a%252fb, /api/a%2fb",
    "/api/what%3Fnow%23, /api/what?now#",
    "/api/%C3%A9, /api/é",
    "/api/..., /api/...",
    "/api/.hidden/x..y, /api/.hidden/x..y",
    "/api/, /api/",
    "/api/svc;v=1/x, /api/svc;v=1/x",
  })
  void decodes(String raw, String path) throws Exception {
    assertEquals(path, RawPath.decode(raw));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "api",
        "*",
        "/api/../x",
        "/api/..",
        "/..",
        "/./api",
        "/api/%2e%2e/x",
        "/api/%2E./x",
        "/api/.%2e",
        "/api/..;/x",
        "/api/..;a=b/x",
        "/api/%2e%2e%3b/x",
        "/api//v1",
        "//api",
        "/api/v1//",
        "/api/a%2fb",
        "/api/a%2Fb",
        "/api/a%5cb",
        "/api/a%5Cb",
        "/api/a\\b",
        "/api/a%00b",
        "/api/a%0d%0ab",
        "/api/a%7f",
        "/api/a%c2%85",
        "/api/%",
        "/api/%2",
        "/api/%zz",
        "/api/%c0%ae%c0%ae/x",
        "/api/%ff",
        "/api/é",
        "/api/a\tb",
      })
  void refuses(String raw) {
    assertThrows(RawPath.RefusedException.class, () -> RawPath.decode(raw));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"/api", "/api/v1", "/apis", "/version", "/openapi/v3", "/healthz/ping", "/readyz"})
  void knowsTheApi(String path) {
    assertTrue(new KubePath("c", path).isApi());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "/metrics",
        "/apifoo",
        "/versionX",
        "/healthzz",
        "/logs/x",
        "/ui",
        "/openapiX"
      })
  void knowsWhatIsNotTheApi(String path) {
    assertFalse(new KubePath("c", path).isApi());
  }

  @Test
  void takesTheClusterOff() throws Exception {
    assertEquals(new KubePath("c-1", "/api/v1"), KubePath.parse("/k8s/clusters/c-1/api/v1"));
    assertEquals(new KubePath("c-1", "/"), KubePath.parse("/k8s/clusters/c-1"));
    assertEquals(new KubePath("", "/"), KubePath.parse("/k8s/clusters/"));
  }

  /** What the parser makes of it, end to end: nothing of it may reach an agent. */
  @Test
  @Timeout(60)
  void tricksNeverReachTheAgent() throws Exception {
    try (TestHub hub = new TestHub();
        FakeAgent agent = FakeAgent.registered(hub, "one")) {
      agent.serve(request -> agent.answer(request, 200, "reached"));
      String token = "client-" + agent.clusterId;
      String[] tricks = {
        "/k8s/clusters/%s/api/../../x",
        "/k8s/clusters/%s/api/%%2e%%2e/x",
        "/k8s/clusters/%s/api/..;/x",
        "/k8s/clusters/%s/api/a%%2fb",
        "/k8s/clusters/%s/api/a%%5cb",
        "/k8s/clusters/%s//api/v1",
        "//k8s/clusters/%s/api",
        "/k8s/clusters/../clusters/%s/api",
        "/k8s/clusters/%s%%2fapi",
        "/k8s/clusters/%s/api/%%00",
        "/k8s/clusters/%s/api/%%c0%%ae%%c0%%ae/x",
        "/k8s%%2fclusters/%s/api",
        "/k8s/clusters/%s/api\\v1",
        "/k8s/clusters/%s/metrics",
        "/k8s/clusters/%s",
        "/k8s/./clusters/%s/api",
        "http://other/k8s/clusters/%s/api/../x",
      };
      for (String trick : tricks) {
        try (RawClient raw = new RawClient(hub)) {
          int status = raw.get(trick.formatted(agent.clusterId), token).status();
          assertTrue(status == 400 || status == 404 || status == 401, trick + " got " + status);
        }
      }
      for (String fine :
          new String[] {
            "/k8s/clusters/%s/apis/rbac/clusterroles/system:node",
            "/k8s/clusters/%s/apis/rbac/clusterroles/system%%3Anode?x=..%%2f..",
          }) {
        try (RawClient raw = new RawClient(hub)) {
          assertEquals(200, raw.get(fine.formatted(agent.clusterId), token).status(), fine);
        }
      }
    }
  }
}
