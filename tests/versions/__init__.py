"""Homes and wheels of earlier versions, kept so that every later version is seen to open them."""
