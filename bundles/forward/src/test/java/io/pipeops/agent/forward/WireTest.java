package io.pipeops.agent.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Random;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A target with TLS: nothing is lost, and nothing waits for what has not come. */
@Timeout(60)
class WireTest {
  private static final int FULL = 1 << 14;
  private static final char[] PASSWORD = "changeit".toCharArray();

  @TempDir Path dir;
  private SSLServerSocket server;
  private SSLContext tls;

  @BeforeEach
  void listen() throws Exception {
    Path store = dir.resolve("target.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "target",
                "-keyalg",
                "EC",
                "-dname",
                "CN=target",
                "-ext",
                "san=dns:localhost",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                new String(PASSWORD))
            .redirectErrorStream(true)
            .redirectOutput(dir.resolve("keytool.log").toFile())
            .start();
    assertEquals(0, keytool.waitFor());
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD);
    }
    KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    own.init(keys, PASSWORD);
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(keys);
    tls = SSLContext.getInstance("TLS");
    tls.init(own.getKeyManagers(), trust.getTrustManagers(), null);
    server =
        (SSLServerSocket)
            tls.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress());
  }

  @AfterEach
  void close() throws Exception {
    server.close();
  }

  /** A wire to the server, and the server's end of it after the handshake. */
  private Wire connect(SSLSocket[] end) throws Exception {
    Thread accepting =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    end[0] = (SSLSocket) server.accept();
                    end[0].startHandshake();
                  } catch (java.io.IOException e) {
                    throw new java.io.UncheckedIOException(e);
                  }
                });
    int port = server.getLocalPort();
    SocketChannel channel =
        SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    Wire wire = Wire.tls(channel, tls.getSocketFactory(), "localhost", port, 10_000);
    accepting.join();
    return wire;
  }

  @Test
  void whatHasComeIsGivenAtOnce() throws Exception {
    SSLSocket[] end = new SSLSocket[1];
    try (Wire wire = connect(end)) {
      byte[] record = new byte[FULL];
      new Random(1).nextBytes(record);
      // Exactly one full record, and then silence: the reader must not wait for a second one.
      end[0].getOutputStream().write(record);
      ByteBuffer read = ByteBuffer.allocate(32 << 10);
      while (read.position() < record.length) {
        assertTrue(wire.read(read) > 0);
      }
      assertEquals(record.length, read.position());
      byte[] got = new byte[record.length];
      read.flip().get(got);
      assertArrayEquals(record, got);
    }
  }

  @Test
  void muchDataComesWhole() throws Exception {
    SSLSocket[] end = new SSLSocket[1];
    try (Wire wire = connect(end)) {
      byte[] sent = new byte[3_000_017];
      new Random(2).nextBytes(sent);
      Thread writing =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try (SSLSocket socket = end[0]) {
                      socket.getOutputStream().write(sent);
                    } catch (java.io.IOException e) {
                      throw new java.io.UncheckedIOException(e);
                    }
                  });
      ByteBuffer all = ByteBuffer.allocate(sent.length);
      ByteBuffer piece = ByteBuffer.allocate(32 << 10);
      int largest = 0;
      for (int n = wire.read(piece); n >= 0; n = wire.read(piece)) {
        assertEquals(n, piece.position());
        largest = Math.max(largest, n);
        all.put(piece.flip());
        piece.clear();
      }
      writing.join();
      assertArrayEquals(sent, all.array());
      assertTrue(largest > FULL, "records that wait are taken together");
    }
  }
}
