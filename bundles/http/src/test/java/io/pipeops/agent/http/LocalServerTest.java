package io.pipeops.agent.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Dictionary;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.servlet.runtime.HttpServiceRuntime;

class LocalServerTest {
  @TempDir Path folder;

  private final AtomicReference<Dictionary<?, ?>> written = new AtomicReference<>();
  private final ConfigurationAdmin admin =
      proxy(
          ConfigurationAdmin.class,
          (method, arguments) -> {
            assertEquals("getConfiguration", method);
            assertEquals("org.apache.felix.http", arguments[0]);
            assertEquals("?", arguments[1]);
            return proxy(
                Configuration.class,
                (call, values) -> {
                  written.set((Dictionary<?, ?>) values[0]);
                  return true;
                });
          });

  private interface Call {
    Object call(String method, Object[] arguments);
  }

  private static <T> T proxy(Class<T> type, Call call) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) ->
                switch (method.getName()) {
                  case "hashCode" -> System.identityHashCode(self);
                  case "equals" -> self == arguments[0];
                  default -> call.call(method.getName(), arguments);
                }));
  }

  private static HttpConfig config(int port, String host) {
    return proxy(
        HttpConfig.class,
        (method, arguments) ->
            switch (method) {
              case "port" -> port;
              case "host" -> host;
              default -> false;
            });
  }

  private static HttpServiceRuntime runtime() {
    return proxy(HttpServiceRuntime.class, (method, arguments) -> null);
  }

  private String address() throws Exception {
    return Files.readString(folder.resolve("http.address"));
  }

  @Test
  void configuresTheServerAndWritesWhereItListens() throws Exception {
    LocalServer server = new LocalServer(admin, config(0, "0.0.0.0"), folder.toString());
    assertEquals(0, written.get().get("org.osgi.service.http.port"));
    assertEquals("0.0.0.0", written.get().get("org.apache.felix.http.host"));
    assertEquals(false, written.get().get("org.apache.felix.http.jetty.sendServerHeader"));
    HttpServiceRuntime runtime = runtime();
    server.setRuntime(runtime, Map.of());
    assertFalse(Files.exists(folder.resolve("http.address")));
    server.updatedRuntime(
        runtime,
        Map.of("osgi.http.endpoint", new String[] {"nonsense: x", "http://10.1.2.3:43121/"}));
    assertEquals("http://127.0.0.1:43121", address());
    server.unsetRuntime(runtime);
    server.setRuntime(runtime(), Map.of("osgi.http.endpoint", "http://10.1.2.3:43122/"));
    assertEquals("http://127.0.0.1:43122", address());
    server.close();
    assertFalse(Files.exists(folder.resolve("http.address")));
  }

  @Test
  void namesAHostThatWasSet() throws Exception {
    LocalServer server = new LocalServer(admin, config(8080, "::1"), folder.toString());
    server.setRuntime(runtime(), Map.of("osgi.http.endpoint", "http://[::1]:8080/"));
    assertEquals("http://[::1]:8080", address());
    server.close();
  }

  @Test
  void worksWithoutARunFolderAndWithOneThatIsGone() {
    LocalServer without = new LocalServer(admin, config(0, "127.0.0.1"), null);
    without.setRuntime(runtime(), Map.of("osgi.http.endpoint", "http://127.0.0.1:1/"));
    without.close();
    LocalServer gone =
        new LocalServer(admin, config(0, "127.0.0.1"), folder.resolve("gone").toString());
    gone.setRuntime(runtime(), Map.of("osgi.http.endpoint", "http://127.0.0.1:1/"));
    gone.close();
    assertTrue(written.get().size() > 10);
  }
}
