package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.Headers;
import io.pipeops.hub.agents.AgentRequest;
import io.pipeops.hub.agents.AgentSession;
import io.pipeops.hub.agents.TooManyRequestsException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.HttpStream;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request of a client that goes to the API server by a stream of its own: HTTP from end to end,
 * with real back-pressure in both directions, and with every kind of upgrade, after which bytes
 * pass as they are. Runs on the client's virtual thread and blocks.
 */
final class ApiExchange {
  private static final Logger log = LoggerFactory.getLogger(ApiExchange.class);
  private static final int PIECE = 32 << 10;
  private static final int SWITCHING = 101;
  private static final byte[] NOTHING = new byte[0];
  private static final Duration SWITCH = Duration.ofSeconds(30);

  /** How long a client may take to close what the cluster has ended. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(10);

  private final Request request;
  private final Response response;
  private final Callback callback;
  private final Duration patience;
  private final boolean impersonation;
  private final Supplier<Optional<String>> token;
  private final ClientWatch watch;
  private volatile ApiConnection current;
  private final AtomicBoolean ours = new AtomicBoolean(true);
  private volatile boolean uploading;
  private volatile long progress = System.nanoTime();
  private int status;
  private long bytes;

  /**
   * For one request.
   *
   * @param patience how long an answer may take to begin
   * @param token the cluster's token, for agents that do not add their own
   */
  ApiExchange(
      Request request,
      Response response,
      Callback callback,
      Duration patience,
      boolean impersonation,
      Supplier<Optional<String>> token) {
    this.request = request;
    this.response = response;
    this.callback = callback;
    this.patience = patience;
    this.impersonation = impersonation;
    this.token = token;
    this.watch = new ClientWatch(request);
  }

  /**
   * Carries the request to its end, and answers it.
   *
   * @return false if nothing has happened yet, because there is no way by a stream now
   */
  boolean run(AgentSession session, KubePath path) throws InterruptedException {
    boolean upgrade = Upgrade.isSpdy(request) || Upgrade.isWebSocket(request);
    boolean bodiless =
        request.getHeaders().getLongField(HttpHeader.CONTENT_LENGTH) <= 0
            && !request.getHeaders().contains(HttpHeader.TRANSFER_ENCODING);
    boolean repeatable = !upgrade && bodiless && safe(request.getMethod());
    try {
      session.enter();
    } catch (TooManyRequestsException e) {
      refuse(new KubeStatus(429, "TooManyRequests", e.getMessage(), 1));
      return true;
    }
    try {
      ApiPool pool = ApiPool.of(session.streams());
      try {
        current = pool.acquire(repeatable, patience);
      } catch (IOException e) {
        log.debug("No stream to the API server: cause={}", e.toString());
        return false;
      }
      request.addIdleTimeoutListener(timeout -> false);
      request.addFailureListener(cause -> reset());
      carry(session, pool, path, upgrade, repeatable);
    } finally {
      session.leave();
    }
    return true;
  }

  private static boolean safe(String method) {
    return HttpMethod.GET.is(method) || HttpMethod.HEAD.is(method) || HttpMethod.OPTIONS.is(method);
  }

  private void carry(
      AgentSession session, ApiPool pool, KubePath path, boolean upgrade, boolean repeatable)
      throws InterruptedException {
    try {
      ApiConnection.Head head;
      try {
        head = ask(path, upgrade);
      } catch (SocketTimeoutException e) {
        throw e;
      } catch (IOException e) {
        // The API server may close a connection that waits just when it is used again.
        if (!repeatable || !current.used || current.answered()) {
          throw e;
        }
        current.close();
        current = pool.fresh(patience);
        head = ask(path, false);
      }
      status = head.status();
      if (head.status() == SWITCHING) {
        session.switched();
        switchOver(head);
        return;
      }
      answer(head, pool);
      watch.stop();
      callback.succeeded();
    } catch (SocketTimeoutException e) {
      fail(KubeStatus.of(504, "Timeout", "the cluster did not answer in time"), e);
    } catch (IOException e) {
      fail(KubeStatus.of(502, "BadGateway", reason(e)), e);
    } finally {
      watch.stop();
      if (done()) {
        current.close();
      }
    }
  }

  /** Marks that the connection is no longer ours; true the first time. */
  private boolean done() {
    return ours.compareAndSet(true, false);
  }

  /** Breaks off, if the connection is still ours. */
  private void reset() {
    if (ours.get()) {
      current.reset();
    }
  }

  private static String reason(IOException e) {
    return e instanceof EOFException
        ? e.getMessage()
        : "the connection to the cluster broke: " + e.getMessage();
  }

  /** Sends the request and waits for the head of its answer. */
  private ApiConnection.Head ask(KubePath path, boolean upgrade)
      throws IOException, InterruptedException {
    HttpFields fields = request.getHeaders();
    long length = fields.getLongField(HttpHeader.CONTENT_LENGTH);
    boolean chunked = fields.contains(HttpHeader.TRANSFER_ENCODING);
    boolean streamed = chunked || length > AgentRequest.INLINE_BODY;
    byte[] head = head(path, upgrade, length, chunked);
    byte[] body = streamed || length <= 0 ? NOTHING : read((int) length);
    ByteBuffer first = ByteBuffer.allocate(head.length + body.length);
    current.begin();
    current.write(first.put(head).put(body).flip());
    ApiConnection to = current;
    if (streamed) {
      uploading = true;
      progress = System.nanoTime();
      Thread.ofVirtual().name("hub-kube-upload").start(() -> upload(to, chunked));
    } else if (!upgrade) {
      watch.start(this::reset);
    }
    awaitAnswer(to);
    return to.head(HttpMethod.HEAD.is(request.getMethod()), patience);
  }

  /** The time for an answer begins anew with each piece of the body that the cluster takes. */
  private void awaitAnswer(ApiConnection to) throws IOException, InterruptedException {
    while (true) {
      try {
        to.await(patience);
        return;
      } catch (SocketTimeoutException e) {
        if (System.nanoTime() - progress >= patience.toNanos()) {
          throw e;
        }
      }
    }
  }

  private byte[] read(int length) throws IOException {
    byte[] body = Content.Source.asInputStream(request).readNBytes(length);
    if (body.length < length) {
      throw new EOFException("the body is shorter than its Content-Length");
    }
    return body;
  }

  private byte[] head(KubePath path, boolean upgrade, long length, boolean chunked) {
    HttpFields fields = request.getHeaders();
    Optional<String> ours = current.needsToken() ? token.get() : Optional.empty();
    Headers headers = HeaderFilter.toCluster(fields, ours, impersonation);
    String query = request.getHttpURI().getQuery();
    StringBuilder head = new StringBuilder(512);
    head.append(request.getMethod()).append(' ').append(path.raw());
    if (query != null) {
      head.append('?').append(query);
    }
    head.append(" HTTP/1.1\r\n");
    for (Map.Entry<String, List<String>> header : headers.all().entrySet()) {
      if (!header.getKey().equalsIgnoreCase("Content-Length")) {
        header.getValue().forEach(value -> add(head, header.getKey(), value));
      }
    }
    if (upgrade) {
      upgrade(head, fields);
    }
    if (chunked) {
      add(head, "Transfer-Encoding", "chunked");
    } else if (length >= 0) {
      add(head, "Content-Length", Long.toString(length));
    }
    return head.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
  }

  /** What makes a request one for another protocol, without a token that is meant for us. */
  private void upgrade(StringBuilder head, HttpFields fields) {
    add(head, "Connection", "Upgrade");
    fields.getValuesList(HttpHeader.UPGRADE).forEach(value -> add(head, "Upgrade", value));
    for (HttpField field : fields) {
      String name = field.getLowerCaseName();
      if (name.startsWith("sec-websocket-") && !name.equals("sec-websocket-protocol")) {
        add(head, field.getName(), field.getValue());
      }
    }
    List<String> protocols = Upgrade.protocols(request);
    if (!protocols.isEmpty()) {
      add(head, "Sec-WebSocket-Protocol", String.join(", ", protocols));
    }
  }

  private static void add(StringBuilder head, String name, String value) {
    head.append(name).append(": ").append(value == null ? "" : value).append("\r\n");
  }

  private void upload(ApiConnection to, boolean chunked) {
    try {
      InputStream in = Content.Source.asInputStream(request);
      byte[] piece = new byte[PIECE];
      for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
        if (n > 0) {
          to.write(chunked ? chunk(piece, n) : ByteBuffer.wrap(piece, 0, n));
          progress = System.nanoTime();
        }
      }
      if (chunked) {
        to.write(ByteBuffer.wrap("0\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1)));
      }
      uploading = false;
      watch.start(this::reset);
    } catch (IOException | RuntimeException e) {
      log.debug("Request body broke off: cause={}", e.toString());
      to.reset();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static ByteBuffer chunk(byte[] piece, int length) {
    byte[] size = (Integer.toHexString(length) + "\r\n").getBytes(StandardCharsets.ISO_8859_1);
    ByteBuffer chunk = ByteBuffer.allocate(size.length + length + 2);
    return chunk.put(size).put(piece, 0, length).put((byte) '\r').put((byte) '\n').flip();
  }

  private void answer(ApiConnection.Head head, ApiPool pool)
      throws IOException, InterruptedException {
    response.setStatus(head.status());
    HeaderFilter.toClient(head.headers(), response.getHeaders());
    AnswerBody body = new AnswerBody(request, response);
    if (!current.ready()) {
      body.begin();
    }
    boolean last = false;
    while (!last) {
      ByteBuffer piece = current.take();
      last = piece == null || current.complete();
      bytes += piece == null ? 0 : piece.remaining();
      // Before the client has the last byte, since it may send its next request at once then.
      if (last && !uploading && done()) {
        pool.release(current);
      }
      body.write(piece == null ? BufferUtil.EMPTY_BUFFER : piece, last);
    }
  }

  /** From here on the connection is the cluster's and the client's; we only pass bytes on. */
  private void switchOver(ApiConnection.Head head) throws IOException, InterruptedException {
    EndPoint endPoint = request.getConnectionMetaData().getConnection().getEndPoint();
    RawConnection client = new RawConnection(endPoint, request.getComponents().getExecutor());
    response.setStatus(head.status());
    for (Map.Entry<String, List<String>> header : head.headers().all().entrySet()) {
      response.getHeaders().put(header.getKey(), header.getValue());
    }
    request.setAttribute(HttpStream.UPGRADE_CONNECTION_ATTRIBUTE, client);
    response.write(true, BufferUtil.EMPTY_BUFFER, callback);
    if (!client.awaitOpen(SWITCH)) {
      throw new IOException("the client did not take the answer");
    }
    ApiConnection cluster = current;
    Thread up =
        Thread.ofVirtual().name("hub-kube-upgraded").start(() -> fromClient(client, cluster));
    try {
      for (ByteBuffer data = cluster.raw(); data != null; data = cluster.raw()) {
        bytes += data.remaining();
        client.write(data);
      }
      // Closed at once, whatever the client still sends would make the system throw away what it
      // has not received yet. So it hears the end, and closes by itself.
      endPoint.shutdownOutput();
      up.join(LAST_WORDS);
    } catch (IOException e) {
      log.debug("Upgraded connection ended: cause={}", e.toString());
    } finally {
      endPoint.close();
      cluster.reset();
      up.join();
    }
  }

  private static void fromClient(RawConnection client, ApiConnection cluster) {
    try {
      boolean taken = true;
      for (ByteBuffer data = client.read(); data != null; data = client.read()) {
        taken = taken && give(cluster, data);
      }
    } catch (IOException e) {
      log.debug("Upgraded connection ended: cause={}", e.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      cluster.reset();
    }
  }

  /** Whether the cluster takes it; the client's connection goes on in any case. */
  private static boolean give(ApiConnection cluster, ByteBuffer data) throws InterruptedException {
    try {
      cluster.write(data);
      return true;
    } catch (IOException e) {
      log.debug("The cluster takes no more: cause={}", e.toString());
      return false;
    }
  }

  private void refuse(KubeStatus refusal) {
    status = refusal.code();
    log.debug("Request refused: status={} reason={}", refusal.code(), refusal.message());
    refusal.send(response, callback);
  }

  /** Answers if that is still possible; else cuts the connection. */
  private void fail(KubeStatus failure, Exception cause) {
    watch.stop();
    if (response.isCommitted()) {
      log.debug("Response cut off: reason={}", failure.message());
      callback.failed(cause);
    } else {
      response.reset();
      refuse(failure);
    }
  }

  /** What the client was answered; 0 for nothing. */
  int status() {
    return status;
  }

  /** Bytes of the answer that went to the client. */
  long bytes() {
    return bytes;
  }
}
