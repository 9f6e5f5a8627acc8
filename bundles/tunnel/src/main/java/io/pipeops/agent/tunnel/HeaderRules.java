package io.pipeops.agent.tunnel;

import io.pipeops.agent.protocol.Headers;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;

/** Which headers pass from the peer to a target and back (protocol 3.5.2, 3.5.3, 3.5.5). */
final class HeaderRules {
  /** RFC 9110 7.6.1, and those that older software takes for such. */
  private static final Set<String> HOP_BY_HOP =
      Set.of(
          "connection",
          "proxy-connection",
          "keep-alive",
          "proxy-authenticate",
          "proxy-authorization",
          "te",
          "trailer",
          "trailers",
          "transfer-encoding",
          "upgrade",
          "http2-settings");

  /**
   * The client sets these itself. {@code Expect} concerns this hop only: the body comes anyway, and
   * waiting for a 100 would only delay it.
   */
  private static final Set<String> OURS = Set.of("host", "content-length", "expect");

  private static final int MAX_BYTES = 128 << 10;

  private HeaderRules() {}

  /**
   * Gives each header that the target is to get.
   *
   * @throws Failure if a name or a value could not stand in a request
   */
  static void toTarget(Headers headers, BiConsumer<String, String> target) throws Failure {
    Set<String> named = named(headers.values("Connection"));
    int bytes = 0;
    for (Map.Entry<String, List<String>> header : headers.all().entrySet()) {
      String name = header.getKey();
      String lower = name.toLowerCase(Locale.ROOT);
      if (HOP_BY_HOP.contains(lower) || OURS.contains(lower) || named.contains(lower)) {
        continue;
      }
      if (!isToken(name)) {
        throw Failure.invalid("invalid header name");
      }
      for (String value : header.getValue()) {
        checkValue(lower, value);
        bytes += name.length() + value.length() + 4;
        if (bytes > MAX_BYTES) {
          throw Failure.invalid("headers of more than " + MAX_BYTES + " bytes");
        }
        target.accept(name, toWire(value));
      }
    }
  }

  /** The headers of an answer that the peer is to get. */
  static Headers toPeer(HttpFields fields) {
    Set<String> named = named(fields.getValuesList("Connection"));
    Headers.Builder headers = Headers.builder();
    for (HttpField field : fields) {
      String lower = field.getLowerCaseName();
      if (!HOP_BY_HOP.contains(lower) && !named.contains(lower)) {
        headers.add(field.getName(), field.getValue() == null ? "" : fromWire(field.getValue()));
      }
    }
    return headers.build();
  }

  /** The first filled value of a header that names a host, checked; null if there is none. */
  static String host(Headers headers, String name) throws Failure {
    for (String value : headers.values(name)) {
      String host = value.strip();
      if (!host.isEmpty()) {
        for (int i = 0; i < host.length(); i++) {
          char c = host.charAt(i);
          if (c <= ' ' || c >= 0x7F || "/\\?#@<>\"'{}|^`,".indexOf(c) >= 0) {
            throw Failure.invalid("invalid host");
          }
        }
        return host;
      }
    }
    return null;
  }

  private static Set<String> named(List<String> connection) {
    if (connection.isEmpty()) {
      return Set.of();
    }
    Set<String> names = new TreeSet<>();
    for (String value : connection) {
      for (String name : value.split(",")) {
        names.add(name.strip().toLowerCase(Locale.ROOT));
      }
    }
    return names;
  }

  static boolean isToken(String name) {
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      boolean alphanumeric =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!alphanumeric && "!#$%&'*+-.^_`|~".indexOf(c) < 0) {
        return false;
      }
    }
    return !name.isEmpty();
  }

  private static void checkValue(String name, String value) throws Failure {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if ((c < ' ' && c != '\t') || c == 0x7F) {
        throw Failure.invalid("invalid value of header " + name);
      }
    }
  }

  /** The client writes one byte per character, so UTF-8 goes in as its bytes. */
  private static String toWire(String value) {
    return isAscii(value)
        ? value
        : new String(value.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }

  /** Undoes the same: bytes that are UTF-8 become text, others stay ISO 8859-1. */
  private static String fromWire(String value) {
    if (isAscii(value) || value.chars().anyMatch(c -> c > 0xFF)) {
      return value;
    }
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .decode(ByteBuffer.wrap(value.getBytes(StandardCharsets.ISO_8859_1)))
          .toString();
    } catch (CharacterCodingException e) {
      return value;
    }
  }

  private static boolean isAscii(String value) {
    for (int i = 0; i < value.length(); i++) {
      if (value.charAt(i) >= 0x80) {
        return false;
      }
    }
    return true;
  }
}
