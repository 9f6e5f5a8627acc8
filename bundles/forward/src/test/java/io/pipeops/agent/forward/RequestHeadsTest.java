package io.pipeops.agent.forward;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RequestHeadsTest {
  private final StringBuilder out = new StringBuilder();
  private boolean last;
  private final RequestHeads heads =
      new RequestHeads(
          new Wire() {
            @Override
            public int read(ByteBuffer target) {
              return -1;
            }

            @Override
            public void write(ByteBuffer data) {
              out.append(ISO_8859_1.decode(data));
            }

            @Override
            public void shutdownOutput() {}

            @Override
            public void close() {
              out.append("<closed>");
            }
          },
          "api:6443",
          "",
          () -> "t",
          () -> last);

  private String sent(String text) throws IOException {
    String all = text.replace("\n", "\r\n");
    for (int i = 0; i < all.length(); i++) {
      heads.accept(ByteBuffer.wrap(all.substring(i, i + 1).getBytes(ISO_8859_1)));
    }
    String sent = out.toString().replace("\r\n", "\n");
    out.setLength(0);
    return sent;
  }

  @Test
  void bodiesOfEitherLengthPassAndTheNextHeadIsFound() throws IOException {
    assertEquals(
        "POST /a HTTP/1.1\nHost: api:6443\nContent-Length: 3\nAuthorization: Bearer t\n\nx\n"
            + "GET /b HTTP/1.1\nHost: api:6443\nAuthorization: Bearer t\n\n",
        sent("POST /a HTTP/1.1\nContent-Length: 3\n\nx\nGET /b HTTP/1.1\nHost: h\n\n"));
    assertEquals(
        "PUT /c HTTP/1.1\nHost: api:6443\nTransfer-Encoding: chunked\nAuthorization: x\n\n"
            + "4;e=1\nab\n\n0\nT: 1\n\nGET /d HTTP/1.1\nHost: api:6443\nauthorization: y\n\n",
        sent(
            "PUT /c HTTP/1.1\nTransfer-Encoding: chunked\nAuthorization: x\n\n"
                + "4;e=1\nab\n\n0\nT: 1\n\nGET /d HTTP/1.1\nauthorization: y\n\n"));
  }

  @Test
  void afterAnUpgradeEverythingPasses() throws IOException {
    assertEquals(
        "GET /exec HTTP/1.1\nHost: api:6443\nConnection: Upgrade\nUpgrade: SPDY/3.1\n"
            + "Authorization: Bearer t\n\n\u0080\u0003\nGET / nonsense\n\n",
        sent(
            "GET /exec HTTP/1.1\nConnection: Upgrade\nUpgrade: SPDY/3.1\n\n\u0080\u0003\nGET / nonsense\n\n"));
  }

  @Test
  void anEmptyLineSaysThatTheConnectionIsOnlyKept() throws IOException {
    sent("GET /a HTTP/1.1\n\n");
    assertEquals(false, heads.idle());
    assertEquals("", sent("\n"));
    assertTrue(heads.idle());
    assertEquals("", sent("G"));
    assertEquals(false, heads.idle());
  }

  @Test
  void theLastRequestSaysSo() throws IOException {
    last = true;
    assertEquals(
        "GET /a HTTP/1.1\nHost: api:6443\nAuthorization: Bearer t\nConnection: close\n\n",
        sent("GET /a HTTP/1.1\n\n"));
    assertThrows(IOException.class, () -> sent("\n"), "nor is the connection kept");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /a HTTP/1.0\n\n",
        "GET http://elsewhere/ HTTP/1.1\n\n",
        "CONNECT a:1 HTTP/1.1\n\n",
        "GET  /a HTTP/1.1\n\n",
        "GET /a b HTTP/1.1\n\n",
        "GET\n\n",
        "GET /a HTTP/1.1\n folded: x\n\n",
        "GET /a HTTP/1.1\nno colon\n\n",
        "GET /a HTTP/1.1\nName : x\n\n",
        "GET /a HTTP/1.1\nContent-Length: -1\n\n",
        "GET /a HTTP/1.1\nContent-Length: 1\nContent-Length: 1\n\n",
        "GET /a HTTP/1.1\nContent-Length: 9999999999999999999999\n\n",
        "GET /a HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n",
        "GET /a HTTP/1.1\nTransfer-Encoding: chunked\nContent-Length: 1\n\n",
        "GET /a HTTP/1.1\nTransfer-Encoding: chunked\n\n-1\n",
        "GET /a HTTP/1.1\nTransfer-Encoding: chunked\n\nffffffffffffffff\n",
      })
  void whatIsUnusualIsRefused(String request) {
    assertThrows(IOException.class, () -> sent(request));
  }

  @Test
  void linesWithoutCarriageReturnAndEndlessOnesAreRefused() {
    assertThrows(
        IOException.class,
        () -> heads.accept(ByteBuffer.wrap("GET / HTTP/1.1\n\n".getBytes(ISO_8859_1))));
    assertThrows(IOException.class, () -> sent("G".repeat(70_000)));
  }
}
