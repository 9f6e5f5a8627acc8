package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ServerSideApplyTest {
  private static final String MAP = "/api/v1/namespaces/default/configmaps/m";
  private static final String APP = "/apis/apps/v1/namespaces/default/deployments/d";
  private SandboxClient client;

  @BeforeEach
  void start() throws Exception {
    client = new SandboxClient(false);
  }

  @AfterEach
  void stop() {
    client.close();
  }

  private SandboxClient.Answer apply(String path, String manager, String more, String yaml)
      throws Exception {
    return client.call(
        "PATCH", path + "?fieldManager=" + manager + more, "application/apply-patch+yaml", yaml);
  }

  private static String map(String data) {
    return "apiVersion: v1\nkind: ConfigMap\ndata: {" + data + "}\n";
  }

  @Test
  void ownersKeepTheirFieldsAndLoseThemByForceOnly() throws Exception {
    assertEquals(200, apply(MAP, "one", "", map("a: '1', b: '1'")).code());
    assertEquals(200, apply(MAP, "two", "", map("c: '2'")).code());
    SandboxClient.Answer conflict = apply(MAP, "two", "", map("a: '2', c: '2'"));
    assertEquals(409, conflict.code());
    assertTrue(conflict.body().contains("conflict with \\\"one\\\": .data.a"), conflict.body());
    assertEquals(
        "FieldManagerConflict",
        Json.text(Json.at(conflict.json(), "details", "causes").path(0), "reason"));
    JsonNode forced = apply(MAP, "two", "&force=true", map("a: '2', c: '2'")).json();
    assertEquals("2", Json.text(forced, "data", "a"));
    JsonNode shrunk = apply(MAP, "one", "", map("b: '1'")).json();
    assertEquals("2", Json.text(shrunk, "data", "a"), "belongs to two now");
    JsonNode gone = apply(MAP, "two", "", map("c: '2'")).json();
    assertFalse(gone.path("data").has("a"), "nobody wants it any more");
    assertEquals("1", Json.text(gone, "data", "b"));
  }

  @Test
  void theSameAgainChangesNothing() throws Exception {
    long first = Json.version(apply(MAP, "one", "", map("a: '1'")).json());
    assertEquals(first, Json.version(apply(MAP, "one", "", map("a: '1'")).json()));
  }

  @Test
  void sharedFieldsStayUntilTheLastOwnerLeaves() throws Exception {
    apply(MAP, "one", "", map("a: '1', x: '1'"));
    apply(MAP, "two", "", map("a: '1', y: '1'"));
    assertEquals("1", Json.text(apply(MAP, "one", "", map("x: '1'")).json(), "data", "a"));
    assertFalse(apply(MAP, "two", "", map("y: '1'")).json().path("data").has("a"));
  }

  @Test
  void updatesTakeFieldsOver() throws Exception {
    apply(MAP, "one", "", map("a: '1'"));
    client.call(
        "PATCH",
        MAP + "?fieldManager=patcher",
        "application/merge-patch+json",
        "{\"data\":{\"a\":\"2\"}}");
    SandboxClient.Answer conflict = apply(MAP, "one", "", map("a: '1'"));
    assertEquals(409, conflict.code());
    assertTrue(conflict.body().contains("patcher"), conflict.body());
  }

  @Test
  void itemsOfKeyedListsHaveOwners() throws Exception {
    String app =
        """
        apiVersion: apps/v1
        kind: Deployment
        spec:
          selector: {matchLabels: {a: b}}
          template:
            metadata: {labels: {a: b}}
            spec:
              containers:
              - {name: web, image: "x:1", ports: [{containerPort: 80}]}
        """;
    assertEquals(200, apply(APP, "one", "", app).code());
    String sidecar =
        """
        apiVersion: apps/v1
        kind: Deployment
        spec: {template: {spec: {containers: [{name: side, image: "y:1"}]}}}
        """;
    JsonNode both = apply(APP, "two", "", sidecar).json();
    assertEquals(2, Json.at(both, "spec", "template", "spec", "containers").size());
    JsonNode one =
        apply(APP, "two", "", "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n")
            .json();
    assertEquals(1, Json.at(one, "spec", "template", "spec", "containers").size());
    assertTrue(
        Json.write(one).contains("k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}"));
  }

  @Test
  void badAppliesAreRefused() throws Exception {
    assertEquals(400, apply(MAP, "", "", map("a: '1'")).code());
    assertEquals(400, apply(MAP, "one", "", "- a\n- b\n").code());
    assertEquals(400, apply(MAP, "one", "", "a: [").code());
    assertEquals(
        400,
        apply(MAP, "one", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n").code());
  }
}
