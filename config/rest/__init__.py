"""What every app's REST API is made of: requests in, answers and errors out. It knows no app."""
