package io.pipeops.hub.store;

/**
 * A new token. This is the only moment at which its text exists.
 *
 * @param token what the hub keeps of it
 * @param text the token itself; a secret
 */
public record IssuedToken(AccessToken token, String text) {
  /** Without the secret. */
  @Override
  public String toString() {
    return "IssuedToken[" + token + "]";
  }
}
