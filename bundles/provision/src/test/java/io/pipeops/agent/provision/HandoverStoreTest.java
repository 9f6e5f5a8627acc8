package io.pipeops.agent.provision;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.pipeops.agent.api.feature.Handover;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class HandoverStoreTest {
  private final HandoverStore store = new HandoverStore();

  @Test
  void givesWhatWasLeftOnce() {
    store.leave("tunnel", 1, "[1]");
    store.leave("tunnel", 2, "[2]");
    assertEquals(Optional.of(new Handover.Entry(2, "[2]")), store.take("tunnel"));
    assertEquals(Optional.empty(), store.take("tunnel"));
  }

  @Test
  void isBounded() {
    String large = "x".repeat(256 * 1024);
    assertThrows(IllegalArgumentException.class, () -> store.leave("a", 1, large + "x"));
    assertThrows(
        IllegalArgumentException.class, () -> store.leave("a", 1, "é".repeat(130_000) + large));
    assertThrows(IllegalArgumentException.class, () -> store.leave("", 1, "x"));
    for (int i = 0; i < 16; i++) {
      store.leave("k" + i, 1, large);
    }
    assertThrows(IllegalArgumentException.class, () -> store.leave("one more", 1, "x"));
    store.leave("k0", 1, "x");
    store.leave("one more", 1, "x");
    store.take("k1");
    store.leave("another", 1, large);
  }
}
