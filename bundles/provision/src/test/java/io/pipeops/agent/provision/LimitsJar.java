package io.pipeops.agent.provision;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;

/** A jar of the base that declares the settings of provision itself. */
final class LimitsJar {
  private LimitsJar() {}

  static void write(Path file) throws IOException {
    Files.createDirectories(file.getParent());
    try (OutputStream out = Files.newOutputStream(file);
        JarOutputStream jar = new JarOutputStream(out)) {
      jar.putNextEntry(new JarEntry("META-INF/MANIFEST.MF"));
      jar.write(
          "Manifest-Version: 1.0\nBundle-SymbolicName: limits\nBundle-Version: 1.0.0\n\n"
              .getBytes(StandardCharsets.UTF_8));
      jar.closeEntry();
      jar.putNextEntry(new JarEntry("OSGI-INF/metatype/limits.xml"));
      jar.write(
          """
          <MetaData xmlns="http://www.osgi.org/xmlns/metatype/v1.2.0">
            <OCD id="c" name="c">
              <AD id="drain.seconds" type="Integer" default="600" min="0" max="86400"/>
              <AD id="health.seconds" type="Integer" default="20" min="1" max="3600"/>
              <AD id="start.seconds" type="Integer" default="30" min="1" max="3600"/>
            </OCD>
            <Designate pid="io.pipeops.agent.provision"><Object ocdref="c"/></Designate>
          </MetaData>
          """
              .getBytes(StandardCharsets.UTF_8));
      jar.closeEntry();
    }
  }
}
