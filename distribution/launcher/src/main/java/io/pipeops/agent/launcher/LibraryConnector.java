package io.pipeops.agent.launcher;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleException;
import org.osgi.framework.connect.ConnectContent;
import org.osgi.framework.connect.ConnectModule;
import org.osgi.framework.connect.ModuleConnector;

/**
 * Makes bundles of jars that lie on the class path (OSGi Core R8, chapter 60): their classes come
 * from the application class loader, so nothing is loaded twice and the AOT cache covers them.
 */
final class LibraryConnector implements ModuleConnector {
  static final String SCHEME = "connect:";

  private final ClassLoader loader = LibraryConnector.class.getClassLoader();
  private final Map<String, String> bundles;
  private final BundleActivator activator;

  /** Bundles by location, and what runs while the framework is initialized. */
  LibraryConnector(Map<String, String> bundles, BundleActivator activator) {
    this.bundles = Map.copyOf(bundles);
    this.activator = activator;
  }

  @Override
  public void initialize(File storage, Map<String, String> configuration) {}

  @Override
  public Optional<BundleActivator> newBundleActivator() {
    return Optional.of(activator);
  }

  @Override
  public Optional<ConnectModule> connect(String location) throws BundleException {
    String probe = bundles.get(location);
    if (probe == null) {
      return Optional.empty();
    }
    URL url = loader.getResource(probe);
    if (url == null) {
      throw new BundleException(location + " is not on the class path");
    }
    return Optional.of(() -> new JarContent(url));
  }

  /** The jar's entries and manifest; classes come from the application class loader. */
  private final class JarContent implements ConnectContent {
    private final URL url;
    private JarFile jar;

    JarContent(URL url) {
      this.url = url;
    }

    @Override
    public void open() throws IOException {
      JarURLConnection connection = (JarURLConnection) url.openConnection();
      connection.setUseCaches(false);
      jar = connection.getJarFile();
    }

    @Override
    public void close() throws IOException {
      jar.close();
    }

    @Override
    public Optional<Map<String, String>> getHeaders() {
      try {
        Map<String, String> headers = new HashMap<>();
        jar.getManifest()
            .getMainAttributes()
            .forEach((key, value) -> headers.put(key.toString(), value.toString()));
        return Optional.of(headers);
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }

    @Override
    public Iterable<String> getEntries() {
      return jar.stream().map(JarEntry::getName).collect(Collectors.toList());
    }

    @Override
    public Optional<ConnectEntry> getEntry(String path) {
      return Optional.ofNullable(jar.getJarEntry(path)).map(JarContentEntry::new);
    }

    @Override
    public Optional<ClassLoader> getClassLoader() {
      return Optional.of(loader);
    }

    private final class JarContentEntry implements ConnectEntry {
      private final JarEntry entry;

      JarContentEntry(JarEntry entry) {
        this.entry = entry;
      }

      @Override
      public String getName() {
        return entry.getName();
      }

      @Override
      public long getContentLength() {
        return entry.getSize();
      }

      @Override
      public long getLastModified() {
        return entry.getTime();
      }

      @Override
      public InputStream getInputStream() throws IOException {
        return jar.getInputStream(entry);
      }
    }
  }
}
