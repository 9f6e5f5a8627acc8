package io.pipeops.agent.http;

import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.http.CheckRun.Outcome;
import jakarta.servlet.Servlet;
import jakarta.servlet.http.HttpServletRequest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.servlet.whiteboard.propertytypes.HttpWhiteboardServletPattern;

/**
 * {@code GET /ready} (protocol 10.2): 200 if every check is content, else 503 and the reasons. With
 * {@code ready_compatible} it answers 200 always, as the existing agent does by default.
 *
 * <p>{@code /ready?wait=SECONDS} (0 to 60) holds a 503 back for that long: if the agent becomes
 * ready meanwhile, the answer is 200 at once. A kubelet that asks so learns of it without asking
 * often. The wait takes a virtual thread and ends when the page goes; four wait at a time, and who
 * comes on top of them is answered at once, so that waiting keeps nobody from the other pages.
 */
@Component(
    service = Servlet.class,
    configurationPid = "io.pipeops.agent.http",
    configurationPolicy = ConfigurationPolicy.REQUIRE)
@HttpWhiteboardServletPattern("/ready")
public final class ReadyServlet extends JsonServlet {
  private static final long serialVersionUID = 1L;
  private static final int MAX_WAIT_SECONDS = 60;
  static final int MAX_WAITING = 4;

  /** How often a request that waits looks at the link; the checks are only asked when it is up. */
  private static final long LOOK_MILLIS = 100;

  private final transient AgentView agent;
  private final transient Readiness readiness;
  private final boolean compatible;

  private final transient Semaphore places = new Semaphore(MAX_WAITING);

  /** Guards {@link #gone}, and is told when it changes. */
  private final transient Object lock = new Object();

  private boolean gone;

  @Activate
  public ReadyServlet(
      @Reference AgentView agent, @Reference Readiness readiness, HttpConfig config) {
    this(agent, readiness, config.ready_compatible());
  }

  ReadyServlet(AgentView agent, Readiness readiness, boolean compatible) {
    this.agent = agent;
    this.readiness = readiness;
    this.compatible = compatible;
  }

  @Override
  Answer answer() {
    return compatible ? compatible() : truthful();
  }

  @Override
  Answer answer(HttpServletRequest request) {
    String wait = request.getParameter("wait");
    if (wait == null) {
      return answer();
    }
    int seconds = seconds(wait);
    if (seconds < 0) {
      return new Answer(
          400, Map.of("error", "wait is not a number of seconds from 0 to " + MAX_WAIT_SECONDS));
    }
    if (!places.tryAcquire()) {
      return answer();
    }
    try {
      return answer(System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds));
    } finally {
      places.release();
    }
  }

  /** The answer of the moment at which it is 200, or of {@code end}. */
  private Answer answer(long end) {
    Answer answer = answer();
    while (answer.status() != 200 && System.nanoTime() - end < 0 && pause()) {
      // Without a link it cannot be ready, and asking all checks costs a starting agent too much.
      LinkState state = agent.link().state();
      if (state == LinkState.CONNECTED || state == LinkState.STANDBY) {
        answer = answer();
      }
    }
    return answer.status() == 200 ? answer : answer();
  }

  /** Returns false when nobody should wait any longer. */
  private boolean pause() {
    try {
      synchronized (lock) {
        if (!gone) {
          lock.wait(LOOK_MILLIS);
        }
        return !gone;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  @Deactivate
  void close() {
    synchronized (lock) {
      gone = true;
      lock.notifyAll();
    }
  }

  private static int seconds(String text) {
    try {
      int seconds = Integer.parseInt(text);
      return seconds <= MAX_WAIT_SECONDS ? seconds : -1;
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  private Answer compatible() {
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", "ready");
    body.put("timestamp", Instant.now());
    body.put("mode", "backward_compatible");
    body.putAll(agent.connection());
    body.put("note", "always ready by setting; see /api/health/detailed for the truth");
    return new Answer(200, body);
  }

  private Answer truthful() {
    List<Outcome> outcomes = readiness.outcomes();
    String reasons =
        outcomes.stream()
            .filter(outcome -> !outcome.ok())
            .map(outcome -> outcome.name() + ": " + outcome.reason())
            .collect(Collectors.joining("; "));
    boolean healthy = reasons.isEmpty();
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("status", healthy ? "ready" : "not_ready");
    body.put("healthy", healthy);
    body.putAll(agent.connection());
    body.putAll(agent.lastHeartbeat());
    body.put("consecutive_failures", agent.consecutiveFailures());
    if (!healthy) {
      body.put(
          "reason",
          agent.link().connected() ? reasons : "agent not connected to control plane; " + reasons);
    }
    body.put("checks", checks(outcomes));
    body.put("timestamp", Instant.now());
    return new Answer(healthy ? 200 : 503, body);
  }

  static List<Map<String, Object>> checks(List<Outcome> outcomes) {
    return outcomes.stream()
        .map(
            outcome -> {
              Map<String, Object> fields = new LinkedHashMap<>();
              fields.put("name", outcome.name());
              fields.put("ok", outcome.ok());
              fields.put("reason", outcome.reason());
              return fields;
            })
        .toList();
  }
}
