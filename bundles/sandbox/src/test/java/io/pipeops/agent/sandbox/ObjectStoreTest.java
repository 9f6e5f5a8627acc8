package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class ObjectStoreTest {
  private final ObjectStore store = new ObjectStore();
  private final ResourceType maps = new ResourceCatalog().get("configmaps");

  private static ObjectNode map(String name, String value) {
    ObjectNode map = Json.object();
    Json.meta(map).put("name", name).put("namespace", "n");
    map.putObject("data").put("k", value);
    return map;
  }

  @Test
  void whoFallsBehindTheHistoryIsTold() throws Exception {
    store.create(maps, map("a", "0"));
    long early = store.version();
    for (int i = 1; i <= ObjectStore.HISTORY + 1; i++) {
      String value = Integer.toString(i);
      store.update(maps, "n", "a", o -> map("a", value));
    }
    ApiException gone =
        assertThrows(ApiException.class, () -> store.changesAfter(early, Duration.ZERO));
    assertEquals(410, gone.code());
    assertEquals("Expired", Json.text(gone.status(), "reason"));
    assertEquals(1, store.changesAfter(store.version() - 1, Duration.ZERO).size());
  }

  @Test
  void largeChangesAreForgottenSooner() throws Exception {
    store.create(maps, map("a", "0"));
    for (int i = 0; i < 6; i++) {
      String large = Integer.toString(i).repeat(1 << 20);
      store.update(maps, "n", "a", o -> map("a", large));
    }
    assertEquals(1, store.version() - store.oldest(), "versions of a MiB each");
  }

  @Test
  void itIsBounded() {
    for (int i = 0; i < ObjectStore.MAX_OBJECTS; i++) {
      store.create(maps, map("m" + i, "x"));
    }
    assertEquals(
        507, assertThrows(ApiException.class, () -> store.create(maps, map("x", "x"))).code());
    store.remove(maps, "n", "m0");
    store.create(maps, map("x", "x"));
    String large = "x".repeat(1 << 20);
    ApiException full =
        assertThrows(
            ApiException.class,
            () -> {
              for (int i = 1; i < 100; i++) {
                store.update(maps, "n", "m" + i, o -> map(Json.name(o), large));
              }
            });
    assertEquals(507, full.code());
  }

  @Test
  void waitingEndsWithAChangeOrWithTheStore() throws Exception {
    long version = store.version();
    Thread writer = Thread.ofVirtual().start(() -> store.create(maps, map("a", "1")));
    assertEquals(1, store.changesAfter(version, Duration.ofSeconds(10)).size());
    writer.join();
    Thread closer = Thread.ofVirtual().start(store::close);
    assertTrue(store.changesAfter(store.version(), Duration.ofSeconds(10)).isEmpty());
    closer.join();
    assertTrue(store.closed());
  }
}
