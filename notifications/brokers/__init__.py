"""The originals' clients that talk to a broker: what they send is taken in, what they wait for goes out."""
