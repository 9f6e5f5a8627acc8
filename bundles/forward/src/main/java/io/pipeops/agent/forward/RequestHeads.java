package io.pipeops.agent.forward;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Follows the requests of a hub on a stream to the API server (RFC 9112), so far as to give each
 * head the API server's host and, where the hub named nobody, the agent's own token. Bodies pass as
 * they are. After a request to upgrade everything passes as it is; the hub ends the stream if the
 * answer is not 101. A hub that only keeps a stream for later says so by an empty line. Anything
 * unusual ends the stream. For one thread.
 */
final class RequestHeads implements ByteRelay.Inlet {
  private static final int LONGEST_HEAD = 64 << 10;
  private static final int LONGEST_LINE = 4096;

  private enum State {
    HEAD,
    BODY,
    CHUNK_SIZE,
    CHUNK_END,
    TRAILERS,
    RAW
  }

  private final Wire wire;
  private final String host;
  private final String basePath;
  private final Supplier<String> token;
  private final BooleanSupplier last;
  private final StringBuilder text = new StringBuilder();
  private State state = State.HEAD;
  private long left;
  private volatile boolean idle;

  /**
   * For one connection.
   *
   * @param host what the {@code Host} header is to say
   * @param basePath what goes before each path; empty for nothing
   * @param token the token for heads that have none; it may give an empty text
   * @param last whether a request shall be the last one of its connection, which then is not kept
   */
  RequestHeads(
      Wire wire, String host, String basePath, Supplier<String> token, BooleanSupplier last) {
    this.wire = wire;
    this.host = host;
    this.basePath = basePath;
    this.token = token;
    this.last = last;
  }

  @Override
  public void accept(ByteBuffer data) throws IOException {
    while (data.hasRemaining()) {
      switch (state) {
        case RAW -> wire.write(data);
        case BODY, CHUNK_END -> pass(data);
        case HEAD -> {
          if (text.isEmpty()) {
            idle = false;
          }
          if (line(data, LONGEST_HEAD) && endsHead()) {
            head();
          }
        }
        case CHUNK_SIZE -> {
          if (line(data, LONGEST_LINE)) {
            chunk();
          }
        }
        case TRAILERS -> {
          if (line(data, LONGEST_LINE)) {
            boolean last = text.length() == 2;
            write(text);
            text.setLength(0);
            if (last) {
              state = State.HEAD;
            }
          }
        }
      }
    }
  }

  @Override
  public void end() {
    // HTTP has no use for half a connection: the answer to a request that was sent is not awaited.
    wire.close();
  }

  private void pass(ByteBuffer data) throws IOException {
    int n = (int) Math.min(left, data.remaining());
    int limit = data.limit();
    data.limit(data.position() + n);
    wire.write(data);
    data.limit(limit);
    left -= n;
    if (left == 0) {
      state = state == State.BODY ? State.HEAD : State.CHUNK_SIZE;
    }
  }

  /** Takes bytes up to and with the next line feed; whether it came. */
  private boolean line(ByteBuffer data, int longest) throws IOException {
    while (data.hasRemaining()) {
      char c = (char) (data.get() & 0xFF);
      if (text.length() >= longest) {
        throw new IOException("a request head or chunk that is too long");
      }
      text.append(c);
      if (c == '\n') {
        if (text.length() < 2 || text.charAt(text.length() - 2) != '\r') {
          throw new IOException("a line feed without carriage return in a request");
        }
        return true;
      }
    }
    return false;
  }

  private boolean endsHead() throws IOException {
    int length = text.length();
    if (length == 2) {
      // An empty line between requests: all answers have arrived, and the hub may use it again.
      text.setLength(0);
      idle = true;
      if (last.getAsBoolean()) {
        throw new IOException("kept for a later request, which is not wanted any more");
      }
      return false;
    }
    return length >= 4 && text.charAt(length - 3) == '\n' && text.charAt(length - 4) == '\r';
  }

  /** Whether the hub has said that it only keeps the connection. Safe for threads. */
  boolean idle() {
    return idle;
  }

  private void head() throws IOException {
    String[] lines = text.substring(0, text.length() - 4).split("\r\n", -1);
    StringBuilder out = new StringBuilder(text.length() + 256);
    requestLine(lines[0], out);
    out.append("Host: ").append(host).append("\r\n");
    boolean named = false;
    boolean connection = false;
    boolean upgrade = false;
    boolean chunked = false;
    long length = -1;
    for (int i = 1; i < lines.length; i++) {
      String line = lines[i];
      int colon = line.indexOf(':');
      if (colon <= 0 || !isToken(line.substring(0, colon)) || line.indexOf('\r') >= 0) {
        throw new IOException("a malformed header in a request");
      }
      String name = line.substring(0, colon).toLowerCase(Locale.ROOT);
      String value = line.substring(colon + 1).strip();
      switch (name) {
        case "host" -> {
          continue;
        }
        case "authorization" -> named = true;
        case "connection" -> connection = true;
        case "upgrade" -> upgrade = true;
        case "content-length" -> {
          if (length >= 0 || !value.matches("[0-9]{1,18}")) {
            throw new IOException("a Content-Length that is not understood");
          }
          length = Long.parseLong(value);
        }
        case "transfer-encoding" -> {
          if (chunked || !value.equalsIgnoreCase("chunked")) {
            throw new IOException("a Transfer-Encoding that is not understood");
          }
          chunked = true;
        }
        default -> {}
      }
      out.append(line).append("\r\n");
    }
    if (chunked && length >= 0) {
      throw new IOException("a request with two lengths");
    }
    if (!named) {
      String ours = token.get();
      if (!ours.isEmpty()) {
        out.append("Authorization: Bearer ").append(ours).append("\r\n");
      }
    }
    if (!connection && last.getAsBoolean()) {
      out.append("Connection: close\r\n");
    }
    write(out.append("\r\n"));
    text.setLength(0);
    next(upgrade, chunked, length);
  }

  private void next(boolean upgrade, boolean chunked, long length) {
    if (upgrade) {
      state = State.RAW;
    } else if (chunked) {
      state = State.CHUNK_SIZE;
    } else if (length > 0) {
      state = State.BODY;
      left = length;
    }
  }

  private void requestLine(String line, StringBuilder out) throws IOException {
    int first = line.indexOf(' ');
    int last = line.lastIndexOf(' ');
    if (first <= 0
        || last <= first + 1
        || !isToken(line.substring(0, first))
        || !line.substring(last + 1).equals("HTTP/1.1")
        || line.charAt(first + 1) != '/'
        || line.indexOf(' ', first + 1) != last) {
      throw new IOException("a malformed request line");
    }
    out.append(line, 0, first + 1)
        .append(basePath)
        .append(line, first + 1, line.length())
        .append("\r\n");
  }

  private void chunk() throws IOException {
    String size = text.substring(0, text.length() - 2);
    int end = size.indexOf(';');
    String digits = (end < 0 ? size : size.substring(0, end)).strip();
    if (!digits.matches("[0-9a-fA-F]{1,15}")) {
      throw new IOException("a chunk size that is not understood");
    }
    write(text);
    text.setLength(0);
    long bytes = Long.parseLong(digits, 16);
    if (bytes == 0) {
      state = State.TRAILERS;
    } else {
      state = State.CHUNK_END;
      left = bytes + 2;
    }
  }

  private void write(CharSequence head) throws IOException {
    wire.write(ByteBuffer.wrap(head.toString().getBytes(StandardCharsets.ISO_8859_1)));
  }

  private static boolean isToken(String name) {
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      boolean ok =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || "!#$%&'*+-.^_`|~".indexOf(c) >= 0;
      if (!ok) {
        return false;
      }
    }
    return !name.isEmpty();
  }
}
