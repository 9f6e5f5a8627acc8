package io.pipeops.hub.kube;

import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.hub.agents.AgentStreams;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;

/**
 * HTTP/1.1 (RFC 9112) with a cluster's API server over one stream, as a client: one exchange after
 * the other. The agent at the other end adds TLS. Straight blocking calls; one thread may send a
 * body while another one reads the answer.
 */
final class ApiConnection implements AutoCloseable {
  private static final int LONGEST_HEAD = 256 << 10;
  private static final int LONGEST_CHUNK_LINE = 4096;
  private static final byte[] HEAD_END = {'\r', '\n', '\r', '\n'};

  private static final byte AS_AGENT = 0;
  private static final byte ANONYMOUS = 2;

  /** Where in the body of an answer the reader is. */
  private enum State {
    NONE,
    LENGTH,
    CHUNK_SIZE,
    CHUNK,
    CHUNK_END,
    TRAILERS,
    UNTIL_CLOSE
  }

  /** Status and headers of an answer. */
  record Head(int status, Headers headers) {}

  private final YamuxStream stream;
  private final boolean needsToken;
  private ByteBuffer in = ByteBuffer.allocate(0);
  private State state = State.NONE;
  private long left;
  private boolean closing;
  private boolean answered;

  // For the pool.
  long idleSince;
  boolean marked;
  boolean used;

  private ApiConnection(YamuxStream stream, boolean needsToken) {
    this.stream = stream;
    this.needsToken = needsToken;
  }

  /**
   * Opens a stream and waits until the agent has connected.
   *
   * @throws IOException if that fails; then nothing has reached the API server
   */
  static ApiConnection open(AgentStreams streams, Duration limit)
      throws IOException, InterruptedException {
    YamuxStream stream =
        streams.open(new StreamHeader(StreamHeader.API, 443, "kubernetes", "default", "hub-api"));
    boolean opened = false;
    try {
      ByteBuffer first = ByteBuffer.allocate(1);
      if (stream.read(first, limit) < 0) {
        throw new EOFException("the agent ended the stream");
      }
      byte how = first.get(0);
      if (how != AS_AGENT && how != ANONYMOUS) {
        throw new IOException("the agent: " + reason(stream, limit));
      }
      opened = true;
      return new ApiConnection(stream, how == ANONYMOUS);
    } finally {
      if (!opened) {
        stream.close();
      }
    }
  }

  private static String reason(YamuxStream stream, Duration limit)
      throws IOException, InterruptedException {
    ByteBuffer text = ByteBuffer.allocate(1024);
    while (text.hasRemaining() && stream.read(text, limit) >= 0) {}
    return new String(text.array(), 0, text.position(), StandardCharsets.UTF_8)
        .replaceAll("\\p{Cntrl}", " ");
  }

  /** Forgets the exchange before. */
  void begin() {
    answered = false;
  }

  /** Whether the agent leaves it to us to say who a request is of. */
  boolean needsToken() {
    return needsToken;
  }

  /** Sends bytes of a request. */
  void write(ByteBuffer data) throws IOException, InterruptedException {
    stream.write(data);
  }

  /**
   * Waits for the first bytes of an answer.
   *
   * @throws java.net.SocketTimeoutException if none came in time; it may be called again
   */
  void await(Duration limit) throws IOException, InterruptedException {
    if (!in.hasRemaining()) {
      ByteBuffer first = stream.take(limit);
      if (first == null) {
        throw new EOFException("the connection to the API server ended before an answer");
      }
      in = first;
      answered = true;
    }
  }

  /**
   * Reads the head of an answer; those that only say that it will come are passed over.
   *
   * @param bodiless whether an answer to this request has no body whatever it says
   * @throws java.net.SocketTimeoutException if it did not come in time
   */
  Head head(boolean bodiless, Duration limit) throws IOException, InterruptedException {
    while (true) {
      String[] lines = headText(limit).split("\r\n", -1);
      int status = status(lines[0]);
      if (status >= 200 || status == 101) {
        return head(status, lines, bodiless);
      }
    }
  }

  private String headText(Duration limit) throws IOException, InterruptedException {
    ByteArrayOutputStream head = new ByteArrayOutputStream(512);
    int matched = 0;
    while (true) {
      if (!in.hasRemaining()) {
        in = stream.take(limit);
        if (in == null) {
          in = ByteBuffer.allocate(0);
          throw new EOFException("the connection to the API server ended before an answer");
        }
        answered = true;
      }
      int start = in.position();
      while (in.hasRemaining() && matched < HEAD_END.length) {
        byte b = in.get();
        matched = b == HEAD_END[matched] ? matched + 1 : b == HEAD_END[0] ? 1 : 0;
      }
      head.write(in.array(), in.arrayOffset() + start, in.position() - start);
      if (head.size() > LONGEST_HEAD) {
        throw new IOException("an answer of the API server with a head that is too long");
      }
      if (matched == HEAD_END.length) {
        return head.toString(StandardCharsets.ISO_8859_1)
            .substring(0, head.size() - HEAD_END.length);
      }
    }
  }

  private static int status(String line) throws IOException {
    if (!line.matches("HTTP/1\\.[01] [1-5][0-9][0-9]( .*)?")) {
      throw new IOException("an answer of the API server that is not HTTP");
    }
    return Integer.parseInt(line.substring(9, 12));
  }

  private Head head(int status, String[] lines, boolean bodiless) throws IOException {
    Headers.Builder headers = Headers.builder();
    closing = lines[0].startsWith("HTTP/1.0");
    long length = -1;
    boolean chunked = false;
    for (int i = 1; i < lines.length; i++) {
      int colon = lines[i].indexOf(':');
      if (colon <= 0) {
        throw new IOException("an answer of the API server with a malformed header");
      }
      String name = lines[i].substring(0, colon);
      String value = lines[i].substring(colon + 1).strip();
      headers.add(name, value);
      switch (name.toLowerCase(Locale.ROOT)) {
        case "content-length" -> length = length(value);
        case "transfer-encoding" -> chunked = value.equalsIgnoreCase("chunked");
        case "connection" -> closing |= value.equalsIgnoreCase("close");
        default -> {}
      }
    }
    if (bodiless || status == 204 || status == 304 || status == 101) {
      state = State.NONE;
    } else if (chunked) {
      state = State.CHUNK_SIZE;
    } else if (length >= 0) {
      left = length;
      state = length == 0 ? State.NONE : State.LENGTH;
    } else {
      state = State.UNTIL_CLOSE;
      closing = true;
    }
    return new Head(status, headers.build());
  }

  private static long length(String value) throws IOException {
    if (!value.matches("[0-9]{1,18}")) {
      throw new IOException("an answer of the API server with a malformed length");
    }
    return Long.parseLong(value);
  }

  /** Whether the next piece of the body, or its end, is there without waiting. */
  boolean ready() {
    return in.hasRemaining() || state == State.NONE;
  }

  /** Whether the body was read to its end. */
  boolean complete() {
    return state == State.NONE;
  }

  /** Whether anything of an answer to the present request has come. */
  boolean answered() {
    return answered;
  }

  /**
   * The next piece of the body, waiting for it; null at its end.
   *
   * @throws EOFException if the connection ends before
   */
  ByteBuffer take() throws IOException, InterruptedException {
    while (state != State.NONE) {
      if (!in.hasRemaining()) {
        in = stream.take(Duration.ZERO);
        if (in == null) {
          in = ByteBuffer.allocate(0);
          if (state == State.UNTIL_CLOSE) {
            state = State.NONE;
            return null;
          }
          throw new EOFException("the API server's answer broke off");
        }
      }
      switch (state) {
        case UNTIL_CLOSE -> {
          return piece(in.remaining());
        }
        case LENGTH -> {
          ByteBuffer piece = piece(left);
          if (left == 0) {
            state = State.NONE;
          }
          return piece;
        }
        case CHUNK -> {
          ByteBuffer piece = piece(left);
          if (left == 0) {
            state = State.CHUNK_END;
            left = 2;
            // Often it is here already; then the reader need not come back for it.
            endChunk();
          }
          return piece;
        }
        case CHUNK_END -> endChunk();
        case CHUNK_SIZE -> {
          String line = line();
          if (line != null) {
            chunk(line);
          }
        }
        case TRAILERS -> {
          String line = line();
          if (line != null && line.isEmpty()) {
            state = State.NONE;
          }
        }
        default -> throw new IllegalStateException(state.toString());
      }
    }
    return null;
  }

  private ByteBuffer piece(long most) {
    int n = (int) Math.min(most, in.remaining());
    ByteBuffer piece = in.slice(in.position(), n);
    in.position(in.position() + n);
    left -= n;
    return piece;
  }

  private void endChunk() throws IOException {
    while (left > 0 && in.hasRemaining()) {
      byte b = in.get();
      if (b != (left == 2 ? '\r' : '\n')) {
        throw new IOException("an answer of the API server with a malformed chunk");
      }
      left--;
    }
    if (left == 0) {
      state = State.CHUNK_SIZE;
      // The last chunk often follows in the same packet.
      if (in.remaining() >= 5
          && in.get(in.position()) == '0'
          && in.get(in.position() + 1) == '\r'
          && in.get(in.position() + 2) == '\n'
          && in.get(in.position() + 3) == '\r'
          && in.get(in.position() + 4) == '\n') {
        in.position(in.position() + 5);
        state = State.NONE;
      }
    }
  }

  private final StringBuilder begun = new StringBuilder();

  /** The next line without its end, or null if it is not all here. */
  private String line() throws IOException {
    while (in.hasRemaining()) {
      char c = (char) (in.get() & 0xFF);
      if (c == '\n') {
        int length = begun.length();
        if (length == 0 || begun.charAt(length - 1) != '\r') {
          throw new IOException("an answer of the API server with a malformed line");
        }
        String line = begun.substring(0, length - 1);
        begun.setLength(0);
        return line;
      }
      if (begun.length() >= LONGEST_CHUNK_LINE) {
        throw new IOException("an answer of the API server with an endless line");
      }
      begun.append(c);
    }
    return null;
  }

  private void chunk(String line) throws IOException {
    int end = line.indexOf(';');
    String digits = (end < 0 ? line : line.substring(0, end)).strip();
    if (!digits.matches("[0-9a-fA-F]{1,15}")) {
      throw new IOException("an answer of the API server with a malformed chunk");
    }
    left = Long.parseLong(digits, 16);
    state = left == 0 ? State.TRAILERS : State.CHUNK;
  }

  /** The next bytes after a switch of protocols; null at the end. */
  ByteBuffer raw() throws IOException, InterruptedException {
    if (in.hasRemaining()) {
      return piece(in.remaining());
    }
    return stream.take(Duration.ZERO);
  }

  /** Whether another exchange may follow. */
  boolean reusable() {
    return state == State.NONE && !closing && !in.hasRemaining() && alive();
  }

  /** Whether the API server has not ended the connection meanwhile. */
  boolean alive() {
    return !stream.inputShutdown() && !stream.over();
  }

  /** Ends it at once, in the middle of whatever it does. From any thread. */
  void reset() {
    stream.reset();
  }

  @Override
  public void close() {
    stream.close();
  }
}
