package io.pipeops.agent.itests;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;

/**
 * The longest class path of the distribution, as {@code java -jar lib/hub-launcher.jar} has it, and
 * nothing of the test's own but the interfaces that both speak: OSGi and the health checks.
 */
final class ImageClassLoader extends URLClassLoader {
  private ImageClassLoader(URL launcher) {
    super("image", new URL[] {launcher}, ClassLoader.getPlatformClassLoader());
  }

  static ImageClassLoader of(Path image) throws IOException {
    return new ImageClassLoader(image.resolve("lib/hub-launcher.jar").toUri().toURL());
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    if (name.startsWith("org.osgi.") || name.startsWith("org.apache.felix.hc.api.")) {
      try {
        return ImageClassLoader.class.getClassLoader().loadClass(name);
      } catch (ClassNotFoundException notOfTheTests) {
        return super.loadClass(name, resolve);
      }
    }
    return super.loadClass(name, resolve);
  }
}
