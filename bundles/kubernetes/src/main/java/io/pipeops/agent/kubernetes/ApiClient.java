package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls;
import io.pipeops.agent.api.metrics.Metrics;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import org.eclipse.jetty.client.BytesRequestContent;
import org.eclipse.jetty.client.CompletableResponseListener;
import org.eclipse.jetty.client.ContentResponse;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.client.Request;
import org.eclipse.jetty.client.Response;
import org.eclipse.jetty.client.transport.HttpClientTransportOverHTTP;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.ClientConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.ScheduledExecutorScheduler;
import org.eclipse.jetty.util.thread.VirtualThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent's own calls. They go over a Jetty client, because the link has loaded that already:
 * beside it a client of this kind costs 6 more classes and 50 ms of CPU to its first answer, the
 * JDK's HTTP client 414 and 210 ms. It is started by the first call. Safe for all threads.
 */
final class ApiClient implements ApiCalls, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ApiClient.class);
  private static final Duration LONGEST_PATIENCE = Duration.ofMinutes(10);

  private final LocatedApiServer server;
  private final SSLContext tls;
  private final Metrics.Counter answered;
  private final Metrics.Counter refused;
  private final Metrics.Counter failed;
  private final FirstCall firstCall = new FirstCall();
  private HttpClient client;
  private boolean closed;
  private String failure = "";
  private long contactNanos = System.nanoTime();

  /**
   * @param anonymous whether the client certificate is left out, so that a token decides alone
   */
  ApiClient(LocatedApiServer server, boolean anonymous, Metrics metrics) {
    this.server = server;
    this.tls = anonymous ? server.anonymous() : server.identified();
    String name = "pipeops_agent_kubernetes_requests_total";
    String help = "Requests that the agent made to the API server for itself";
    this.answered = metrics.counter(name, help, "outcome", "answered");
    this.refused = metrics.counter(name, help, "outcome", "refused");
    this.failed = metrics.counter(name, help, "outcome", "failed");
  }

  @Override
  public Answer get(String path, String accept, Duration limit)
      throws IOException, InterruptedException {
    return call("GET", path, accept, null, server.token(), limit);
  }

  /** Sends a JSON object. */
  Answer send(String method, String path, byte[] json, Duration limit)
      throws IOException, InterruptedException {
    return call(method, path, "application/json", json, server.token(), limit);
  }

  /**
   * Makes a call with a token of the caller's choice.
   *
   * @param body a JSON object; null for none
   * @param limit until the server has answered for the first time, it is {@link FirstCall#LIMIT} if
   *     that is longer
   */
  Answer call(
      String method,
      String path,
      String accept,
      byte[] body,
      Optional<String> token,
      Duration limit)
      throws IOException, InterruptedException {
    long end = firstCall.end(limit);
    boolean first = firstCall.enter(end);
    try {
      return call(method, path, accept, body, token, end);
    } finally {
      if (first) {
        firstCall.leave();
      }
    }
  }

  private Answer call(
      String method, String path, String accept, byte[] body, Optional<String> token, long end)
      throws IOException, InterruptedException {
    boolean repeatable = method.equals("GET");
    while (true) {
      long left = end - System.nanoTime();
      Answer answer;
      try {
        answer = once(method, path, accept, body, token, Math.max(left, 1));
      } catch (IOException e) {
        // A connection that the server had closed meanwhile says nothing about the server.
        if (repeatable && !(e.getCause() instanceof TimeoutException) && left > 0) {
          repeatable = false;
          continue;
        }
        failed.increment();
        record(e.getMessage());
        throw e;
      }
      count(answer.status());
      record(answer.status() >= 500 ? "API server answers " + answer.status() : "");
      long patience = answer.retryAfter().toNanos();
      if (!wantsPatience(answer) || patience >= end - System.nanoTime()) {
        return answer;
      }
      log.debug("API server asks for patience path={} wait={}", path, answer.retryAfter());
      TimeUnit.NANOSECONDS.sleep(patience);
    }
  }

  /** A missing right is told apart, because only an operator can give it. */
  private void count(int status) {
    firstCall.answered();
    (status == 401 || status == 403 ? refused : answered).increment();
  }

  private static boolean wantsPatience(Answer answer) {
    return answer.status() == 429
        || answer.status() == 503 && !answer.retryAfter().equals(Duration.ZERO);
  }

  private Answer once(
      String method,
      String path,
      String accept,
      byte[] body,
      Optional<String> token,
      long limitNanos)
      throws IOException, InterruptedException {
    Request request = request(method, path, accept, token, limitNanos);
    if (body != null) {
      request.body(new BytesRequestContent("application/json", body));
    }
    CompletableFuture<ContentResponse> answer =
        new CompletableResponseListener(request, MAX_ANSWER).send();
    try {
      ContentResponse response = answer.get(limitNanos, TimeUnit.NANOSECONDS);
      return new Answer(
          response.getStatus(),
          response.getContent(),
          retryAfter(response.getStatus(), response.getHeaders().getField(HttpHeader.RETRY_AFTER)));
    } catch (TimeoutException e) {
      request.abort(e);
      throw new IOException("no answer from " + server.base() + " in time", e);
    } catch (InterruptedException e) {
      request.abort(e);
      throw e;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TimeoutException) {
        throw new IOException("no answer from " + server.base() + " in time", e.getCause());
      }
      throw new IOException(
          "cannot reach " + server.base() + ": " + reason(e.getCause()), e.getCause());
    }
  }

  private Request request(
      String method, String path, String accept, Optional<String> token, long limitNanos)
      throws IOException {
    return started()
        .newRequest(URI.create(server.base() + path))
        .method(method)
        .followRedirects(false)
        .timeout(limitNanos, TimeUnit.NANOSECONDS)
        .headers(
            headers -> {
              headers.put(HttpHeader.ACCEPT, accept);
              token.ifPresent(t -> headers.put(HttpHeader.AUTHORIZATION, "Bearer " + t));
            });
  }

  /** Begins a call whose answer is taken piece by piece. Returns at once. */
  Request stream(String path, Duration limit, Response.Listener listener) throws IOException {
    Request request =
        request("GET", path, "application/json", server.token(), limit.toNanos())
            .idleTimeout(limit.toMillis(), TimeUnit.MILLISECONDS)
            .onResponseBegin(response -> count(response.getStatus()));
    request.send(listener);
    return request;
  }

  private static String reason(Throwable cause) {
    Throwable deepest = cause;
    for (int i = 0; i < 8 && deepest.getCause() != null; i++) {
      deepest = deepest.getCause();
    }
    String text = deepest.getMessage();
    return text == null ? deepest.getClass().getSimpleName() : text.lines().findFirst().orElse("");
  }

  /** Seconds only: the API server never sends the date form. */
  private static Duration retryAfter(int status, HttpField field) {
    try {
      if (field != null) {
        Duration asked = Duration.ofSeconds(Long.parseLong(field.getValue().trim()));
        if (!asked.isNegative()) {
          return asked.compareTo(LONGEST_PATIENCE) > 0 ? LONGEST_PATIENCE : asked;
        }
      }
    } catch (NumberFormatException e) {
      log.debug("Retry-After is not a number of seconds");
    }
    return status == 429 ? Duration.ofSeconds(1) : Duration.ZERO;
  }

  private HttpClient started() throws IOException {
    synchronized (this) {
      if (closed) {
        throw new IOException("the access to the cluster is being closed");
      }
      if (client == null) {
        client = start();
      }
      return client;
    }
  }

  private HttpClient start() throws IOException {
    // No thread of the platform is held for a client that makes a few calls in an hour.
    VirtualThreadPool threads = new VirtualThreadPool(16);
    threads.setName("kubernetes-api");
    SslContextFactory.Client context = new ClientTls();
    context.setSslContext(tls);
    ClientConnector connector = new ClientConnector();
    connector.setSslContextFactory(context);
    connector.setSelectors(1);
    connector.setExecutor(threads);
    connector.setScheduler(new ScheduledExecutorScheduler("kubernetes-api-timer", true));
    connector.setConnectTimeout(Duration.ofSeconds(5));
    HttpClient made = new HttpClient(new HttpClientTransportOverHTTP(connector));
    // As a listener to handshakes; it belongs to the connector.
    made.addBean(context, false);
    made.setUserAgentField(new HttpField(HttpHeader.USER_AGENT, "pipeops-agent"));
    made.setMaxConnectionsPerDestination(4);
    made.setIdleTimeout(45_000);
    Thread current = Thread.currentThread();
    ClassLoader loader = current.getContextClassLoader();
    current.setContextClassLoader(HttpClient.class.getClassLoader());
    try {
      made.start();
      made.getContentDecoderFactories().clear();
      // Answers are passed on as they are; a 401 without a challenge would even be an error.
      made.getProtocolHandlers().clear();
      return made;
    } catch (Exception e) {
      throw new IOException("cannot start the HTTP client", e);
    } finally {
      current.setContextClassLoader(loader);
    }
  }

  private synchronized void record(String problem) {
    failure = problem;
    if (problem.isEmpty()) {
      contactNanos = System.nanoTime();
    } else {
      notifyAll();
    }
  }

  /** What was wrong with the last call; empty if it was answered. */
  synchronized String failure() {
    return failure;
  }

  /**
   * Returns when the server has not been heard of for a while, or at once when a call has failed.
   *
   * @param longest when it returns in any case
   */
  synchronized void awaitSilence(Duration quiet, Duration longest) throws InterruptedException {
    long end = System.nanoTime() + longest.toNanos();
    while (failure.isEmpty() && !closed) {
      long now = System.nanoTime();
      long left = Math.min(contactNanos + quiet.toNanos() - now, end - now);
      if (left <= 0) {
        return;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }

  @Override
  public void close() {
    HttpClient running;
    synchronized (this) {
      closed = true;
      running = client;
      client = null;
      notifyAll();
    }
    if (running != null) {
      try {
        running.stop();
      } catch (Exception e) {
        log.debug("HTTP client did not stop cleanly", e);
      }
    }
  }
}
