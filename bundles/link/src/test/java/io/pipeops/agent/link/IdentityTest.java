package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.kubernetes.StateStore;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is written to a store that others write to as well. */
@Timeout(30)
class IdentityTest {
  private static final PersistedState KNOWN = PersistedState.EMPTY.withAgentId("agent-known");

  private final Identity identity = new Identity("", () -> "agent-made-up", reason -> {});

  /** A store into which another replica writes between our read and our write. */
  private static final class SharedStore implements StateStore {
    private final UnaryOperator<PersistedState> other;
    private final CountDownLatch updated = new CountDownLatch(1);
    private PersistedState state;
    private boolean refuses;

    SharedStore(PersistedState state, UnaryOperator<PersistedState> other) {
      this.state = state;
      this.other = other;
    }

    @Override
    public synchronized PersistedState load() {
      return state;
    }

    @Override
    public synchronized PersistedState update(UnaryOperator<PersistedState> change) {
      if (refuses) {
        updated.countDown();
        throw new IllegalStateException("refused");
      }
      state = change.apply(other.apply(state));
      updated.countDown();
      return state;
    }

    PersistedState afterUpdate() throws InterruptedException {
      assertTrue(updated.await(10, TimeUnit.SECONDS), "written");
      return load();
    }
  }

  private static SharedStore store(PersistedState state) {
    return new SharedStore(state, UnaryOperator.identity());
  }

  @AfterEach
  void close() {
    identity.close();
  }

  @Test
  void whatAnotherReplicaRegistersMeanwhileStays() throws Exception {
    SharedStore store = new SharedStore(KNOWN, now -> now.withRegistration("c-other", "u", "g"));
    identity.attach(store);
    assertEquals("agent-known", identity.load(Duration.ofSeconds(10)).agentId());
    assertEquals("c-other", store.afterUpdate().clusterId());
  }

  @Test
  void aStoreThatComesBackIsNotGivenWhatItKnewLongAgo() throws Exception {
    SharedStore first = store(KNOWN);
    identity.attach(first);
    identity.load(Duration.ofSeconds(10));
    identity.registered("c-1", "u-1", "", "", "");
    while (!first.load().clusterId().equals("c-1")) {
      Thread.onSpinWait();
    }
    // All of it is written once a later write has begun, since there is one writer.
    identity.readAgain(Duration.ofSeconds(10));
    identity.detach(first);
    SharedStore again = store(KNOWN.withRegistration("c-2", "u-2", ""));
    identity.attach(again);
    assertEquals("c-2", again.afterUpdate().clusterId());
  }

  @Test
  void aRegistrationFromBeforeTheStoreCameIsWritten() throws Exception {
    assertEquals("agent-made-up", identity.load(Duration.ZERO).agentId());
    identity.registered("c-1", "u-1", "wss://g", "token", "ca");
    SharedStore store = store(PersistedState.EMPTY);
    identity.attach(store);
    PersistedState stored = store.afterUpdate();
    assertEquals("agent-made-up", stored.agentId());
    assertEquals("c-1", stored.clusterId());
    assertEquals("wss://g", stored.gatewayUrl());
  }

  @Test
  void whatOneStoreRefusedTheNextOneGets() throws Exception {
    SharedStore broken = store(KNOWN);
    identity.attach(broken);
    identity.load(Duration.ofSeconds(10));
    broken.afterUpdate();
    synchronized (broken) {
      broken.refuses = true;
    }
    identity.registered("c-1", "u-1", "", "", "");
    identity.detach(broken);
    SharedStore next = store(KNOWN);
    identity.attach(next);
    assertEquals("c-1", next.afterUpdate().clusterId());
  }

  @Test
  void aForgottenClusterIsForgottenInTheStoreThatComesBack() throws Exception {
    SharedStore first = store(KNOWN.withRegistration("c-1", "u-1", ""));
    identity.attach(first);
    assertEquals("c-1", identity.load(Duration.ofSeconds(10)).clusterId());
    first.afterUpdate();
    identity.detach(first);
    identity.clearCluster();
    identity.attach(first);
    assertEquals("", identity.state().clusterId());
    while (!first.load().clusterId().isEmpty()) {
      Thread.onSpinWait();
    }
  }
}
