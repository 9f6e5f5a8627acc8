package io.pipeops.agent.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/** Small requests to an agent's local port or to a hub, one after the other. */
final class HubClient {
  private static final int LIMIT_MILLIS = 10_000;
  private static final int MAX_ANSWER = 4 << 20;

  private final String address;
  private final String token;
  private final SSLSocketFactory trust;

  private HubClient(String address, String token, SSLSocketFactory trust) {
    this.address = address;
    this.token = token;
    this.trust = trust;
  }

  /** Without token and CA. */
  static HubClient plain(String address) {
    return new HubClient(address, "", null);
  }

  /** With the token in a file, and a CA besides the public ones if a file is named. */
  static HubClient of(String address, Path tokenFile, String caFile) throws IOException {
    SSLSocketFactory trust = caFile == null ? null : trust(Path.of(caFile));
    return new HubClient(address, Files.readString(tokenFile).strip(), trust);
  }

  /** The same hub with another token. */
  HubClient as(String other) {
    return new HubClient(address, other, trust);
  }

  Reply get(String path) throws IOException {
    return call("GET", path, null);
  }

  Reply post(String path, String body) throws IOException {
    return call("POST", path, body);
  }

  Reply delete(String path) throws IOException {
    return call("DELETE", path, null);
  }

  private Reply call(String method, String path, String body) throws IOException {
    try {
      HttpURLConnection connection =
          (HttpURLConnection) URI.create(address + path).toURL().openConnection();
      if (connection instanceof HttpsURLConnection https && trust != null) {
        https.setSSLSocketFactory(trust);
      }
      connection.setRequestMethod(method);
      connection.setConnectTimeout(LIMIT_MILLIS);
      connection.setReadTimeout(LIMIT_MILLIS);
      connection.setInstanceFollowRedirects(false);
      // Behind a Service the next request may reach another replica, the one that leads.
      connection.setRequestProperty("Connection", "close");
      if (!token.isEmpty()) {
        connection.setRequestProperty("Authorization", "Bearer " + token);
      }
      if (body != null) {
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/json");
        connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
      }
      int status = connection.getResponseCode();
      try (InputStream in =
          status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
        byte[] answer = in == null ? new byte[0] : in.readNBytes(MAX_ANSWER);
        return new Reply(method + " " + address + path, status, answer);
      }
    } catch (IllegalArgumentException e) {
      throw new IOException(address + " is no address", e);
    } catch (IOException e) {
      throw new IOException("no answer from " + address + ": " + e.getMessage(), e);
    }
  }

  private static SSLSocketFactory trust(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      int number = 0;
      for (Certificate ca : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
        store.setCertificateEntry("ca" + number++, ca);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, factory.getTrustManagers(), null);
      return context.getSocketFactory();
    } catch (GeneralSecurityException e) {
      throw new IOException(file + " holds no CA certificates: " + e.getMessage(), e);
    }
  }

  /** What came back. */
  static final class Reply {
    private final String request;
    private final int status;
    private final byte[] body;

    Reply(String request, int status, byte[] body) {
      this.request = request;
      this.status = status;
      this.body = body;
    }

    int status() {
      return status;
    }

    Reply expect(int wanted) throws IOException {
      if (status != wanted) {
        throw new IOException(
            "%s is answered with %d: %s"
                .formatted(
                    request,
                    status,
                    new String(body, StandardCharsets.UTF_8).replaceAll("\\s+", " ").strip()));
      }
      return this;
    }

    JsonNode json(ObjectMapper mapper) throws IOException {
      return mapper.readTree(body);
    }
  }
}
