package io.pipeops.hub.kube;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpMethod;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.http.HttpVersion;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;

/**
 * The body of an answer on its way to a client. Over HTTP/1.1 the server library ends a chunk when
 * it begins the next one. A client that looks into a chunk only when it is whole, as Kubernetes'
 * client for Python does, would see each event of a watch when the next one happens. So what goes
 * on for long gets its chunks (RFC 9112, 7.1) here, and the connection ends with it. For one
 * thread, which waits while the client is slow.
 */
final class AnswerBody {
  private static final byte[] LINE = {'\r', '\n'};
  private static final byte[] END = {'0', '\r', '\n', '\r', '\n'};

  private final Response response;
  private final boolean chunks;

  /** For an answer whose status and headers are known and not sent yet. */
  AnswerBody(Request request, Response response) {
    this.response = response;
    this.chunks =
        response.getStatus() == HttpStatus.OK_200
            && request.getConnectionMetaData().getHttpVersion() == HttpVersion.HTTP_1_1
            && HttpMethod.GET.is(request.getMethod())
            && lasting(request.getHttpURI().getQuery())
            && !response.getHeaders().contains(HttpHeader.CONTENT_LENGTH);
    if (chunks) {
      response.getHeaders().put(HttpHeader.CONNECTION, "close");
      // By this constructor it is not one of the headers that the library acts upon.
      response.getHeaders().add(new HttpField(null, "Transfer-Encoding", "chunked"));
    }
  }

  /** Whether a query asks for what goes on: a watch, or a log that is followed. */
  static boolean lasting(String query) {
    if (query != null) {
      for (String part : query.split("&")) {
        int equals = part.indexOf('=');
        String name = equals < 0 ? part : part.substring(0, equals);
        String value = equals < 0 ? "" : part.substring(equals + 1);
        // As the API server reads a truth value.
        if ((name.equals("watch") || name.equals("follow"))
            && !value.equalsIgnoreCase("false")
            && !value.equals("0")) {
          return true;
        }
      }
    }
    return false;
  }

  /** Sends the head before there is any of the body. */
  void begin() throws IOException {
    Content.Sink.write(response, false, BufferUtil.EMPTY_BUFFER);
  }

  /** Sends a piece, which may be empty. */
  void write(ByteBuffer piece, boolean last) throws IOException {
    Content.Sink.write(response, last, chunks ? chunk(piece, last) : piece);
  }

  private static ByteBuffer chunk(ByteBuffer piece, boolean last) {
    byte[] size = Integer.toHexString(piece.remaining()).getBytes(StandardCharsets.US_ASCII);
    ByteBuffer chunk =
        ByteBuffer.allocate(size.length + piece.remaining() + 2 * LINE.length + END.length);
    if (piece.hasRemaining()) {
      chunk.put(size).put(LINE).put(piece).put(LINE);
    }
    if (last) {
      chunk.put(END);
    }
    return chunk.flip();
  }
}
