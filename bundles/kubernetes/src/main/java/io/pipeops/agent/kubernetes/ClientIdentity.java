package io.pipeops.agent.kubernetes;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * Presents one client certificate. The JDK's own key manager wants a key store, and putting a key
 * into one costs thousands of rounds of key derivation at every start.
 */
final class ClientIdentity extends X509ExtendedKeyManager {
  private static final String ALIAS = "agent";

  private final X509Certificate[] chain;
  private final PrivateKey key;

  ClientIdentity(List<X509Certificate> chain, PrivateKey key) throws AccessException {
    this.chain = chain.toArray(X509Certificate[]::new);
    this.key = key;
    if (!this.chain[0].getPublicKey().getAlgorithm().equals(key.getAlgorithm())) {
      throw new AccessException("client certificate and client key are not of the same kind");
    }
  }

  @Override
  public String[] getClientAliases(String keyType, Principal[] issuers) {
    return fits(keyType) ? new String[] {ALIAS} : null;
  }

  @Override
  public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
    for (String keyType : keyTypes) {
      if (fits(keyType)) {
        return ALIAS;
      }
    }
    return null;
  }

  @Override
  public String chooseEngineClientAlias(String[] keyTypes, Principal[] issuers, SSLEngine engine) {
    return chooseClientAlias(keyTypes, issuers, null);
  }

  @Override
  public String[] getServerAliases(String keyType, Principal[] issuers) {
    return null;
  }

  @Override
  public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
    return null;
  }

  @Override
  public X509Certificate[] getCertificateChain(String alias) {
    return ALIAS.equals(alias) ? chain.clone() : null;
  }

  @Override
  public PrivateKey getPrivateKey(String alias) {
    return ALIAS.equals(alias) ? key : null;
  }

  private boolean fits(String keyType) {
    String algorithm = key.getAlgorithm();
    return keyType.equals(algorithm)
        || keyType.equals("RSASSA-PSS") && algorithm.equals("RSA")
        || keyType.startsWith("Ed") && algorithm.startsWith("Ed");
  }
}
