package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkState;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The waits of a long outage, with a clock that the test holds. */
@Timeout(60)
class ConnectLoopTest {
  private final BlockingQueue<Duration> waits = new LinkedBlockingQueue<>();
  private final BlockingQueue<Boolean> go = new LinkedBlockingQueue<>();
  private final StatusBoard board = new StatusBoard(state -> {});
  private final Identity identity = new Identity("agent-x", () -> "", reason -> {});
  private volatile IOException failure = new ConnectException("refused");
  private final Mandate mandate = new Mandate();
  private ConnectLoop loop;

  private final class FailingDialer implements Dialer {
    @Override
    public void dial(URI peer, LinkSocket socket, Map<String, String> headers) throws IOException {
      throw failure;
    }

    @Override
    public void prepare() {}

    @Override
    public void close() {}
  }

  private void start() {
    mandate.give(TestLink.ALONE);
    LinkMetrics metrics = new LinkMetrics(new TestLink.CountingMetrics(), () -> 0, p -> 0);
    LinkSettings settings = TestLink.settings("http://localhost:1");
    loop =
        new ConnectLoop(
            () -> settings,
            identity,
            new FactCollector(List::of, Duration.ZERO, () -> {}),
            new RegisterPayload(settings.peer(), new HostFacts(Path.of("/")), Clock.systemUTC()),
            new FailingDialer(),
            (unknown, control, with) ->
                new LinkConnection(
                    new Handlers<>(LinkHandler.TYPES),
                    new StreamIntake(new TestLink.CountingMetrics()),
                    unknown,
                    control,
                    metrics,
                    with.timing(),
                    with.limits(),
                    with.resume()),
            board,
            metrics,
            mandate,
            new Backoff(Duration.ofMillis(500), Duration.ofSeconds(15), () -> 0.5),
            time -> {
              waits.add(time);
              go.take();
            });
    loop.start();
  }

  @AfterEach
  void stop() {
    loop.stop(Duration.ofSeconds(1));
    identity.close();
    board.close();
  }

  private Duration step() throws InterruptedException {
    Duration wait = waits.poll(30, TimeUnit.SECONDS);
    go.add(true);
    return wait;
  }

  @Test
  void growsToTheCapAndNeverEnds() throws Exception {
    start();
    List<Long> expected = List.of(562L, 1125L, 2250L, 4500L, 9000L, 16875L, 16875L, 16875L);
    for (long millis : expected) {
      assertEquals(millis, step().toMillis());
    }
    for (int i = 0; i < 500; i++) {
      assertEquals(16875, step().toMillis());
    }
    assertEquals(LinkState.DISCONNECTED, board.status().state());
    assertTrue(board.status().reason().contains("refused"), board.status()::reason);
  }

  @Test
  void asksSlowlyAfterARefusedToken() throws Exception {
    failure = new RefusedException(403, "refused with HTTP 403");
    start();
    assertEquals(16875, step().toMillis());
    assertEquals(LinkState.CONNECTING, board.status().state());
  }

  @Test
  void survivesWhatNobodyExpected() throws Exception {
    failure =
        new IOException("x") {
          private static final long serialVersionUID = 1L;

          @Override
          public String getMessage() {
            throw new IllegalStateException("on purpose");
          }
        };
    start();
    assertEquals(562, step().toMillis());
    failure = new ConnectException("refused");
    assertEquals(1125, step().toMillis());
  }

  @Test
  void standsByAtItsOwnPace() throws Exception {
    failure = new RefusedException(409, "refused with HTTP 409");
    start();
    for (int i = 0; i < 20; i++) {
      assertEquals(50, step().toMillis());
    }
    assertEquals(LinkState.STANDBY, board.status().state());
  }
}
